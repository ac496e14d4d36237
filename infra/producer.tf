locals {
  poll = join(" ", [
    "python -m producer poll --once",
    "--topic=${local.topic}",
    "--state=gs://${google_storage_bucket.this.name}/state",
    "--logins=${local.logins}",
  ])

  stream_options = {
    subscription = local.subscription
    archive      = local.archive
    warehouse    = local.warehouse
    time_zone    = var.time_zone
  }
  # Rows come by load jobs, which cost nothing. It ends when nothing has come for a while.
  bounded_stream = join(" ", concat(
    ["python -m pipelines.stream"],
    [for name, value in local.stream_options : "--${name}=${value}"],
    [
      "--bigquery_write_method=FILE_LOADS",
      "--stop_when_idle_seconds=10",
      "--archive_batch_seconds=5",
      "--refresh_seconds=5",
      "--temp_location=gs://${google_storage_bucket.this.name}/temp",
    ],
  ))
}

# In size small it is also who reads the subscription, one run after the other; the messages wait in between.
resource "google_cloud_run_v2_job" "poll" {
  count = local.has_image ? 1 : 0

  name                = "poll"
  location            = var.region
  deletion_protection = false # It holds nothing.

  template {
    task_count = 1

    template {
      service_account = local.emails["producer"]
      encryption_key  = var.kms_key_name
      timeout         = "${var.poll_minutes * 60 - 30}s" # Over before the next begins.
      max_retries     = 0                                # The next one tries again, and what failed is told once.

      containers {
        image   = local.image
        command = ["as_listener", "/bin/sh", "-c"]
        # A poll that failed for one account has published the others' plays.
        args = [local.is_stream ? local.poll : "${local.poll}; polled=$?; ${local.bounded_stream} && exit $polled"]

        env {
          name  = "SPOTIFY_CLIENT_SECRET_NAME"
          value = "projects/${var.project_id}/secrets/${local.app_secret}"
        }

        resources {
          limits = { cpu = "1", memory = local.is_stream ? "512Mi" : var.run_memory }
        }
      }
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.service]
}

resource "google_cloud_scheduler_job" "poll" {
  count = local.has_image ? 1 : 0

  name        = "poll"
  description = "Spotify lists the last 50 plays only: polling every 20 minutes at least misses none."
  region      = var.region
  schedule    = "*/${var.poll_minutes} * * * *"
  time_zone   = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${google_cloud_run_v2_job.poll[0].name}:run"

    oauth_token {
      service_account_email = local.emails["scheduler"]
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler_starts_poll]
}

resource "google_cloud_run_v2_job_iam_member" "scheduler_starts_poll" {
  count = local.has_image ? 1 : 0

  name     = google_cloud_run_v2_job.poll[0].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.members["scheduler"]
}
