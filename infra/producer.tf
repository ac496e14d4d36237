locals {
  poll = join(" ", [
    "python -m producer poll --once",
    local.is_stream ? "--topic=${local.topic}" : "--archive=${local.archive}",
    "--state=gs://${google_storage_bucket.this.name}/state",
    "--logins=${local.logins}",
  ])

  # Size small: what a poll archived is in the tables a moment later. A rebuild that finds nothing new ends at once.
  rebuild_changed = join(" ", concat(
    ["python -m pipelines.rebuild"],
    [for name, value in local.rebuild_options : "--${name}=${value}"],
    ["--months=changed"],
  ))
}

# Size stream: to the topic. Size small: into the archive, and from there into the tables, one run after the other.
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
        # A poll that failed for one account has archived the others' plays.
        args = [local.is_stream ? local.poll : "${local.poll}; polled=$?; ${local.rebuild_changed} && exit $polled"]

        env {
          name  = "SPOTIFY_CLIENT_SECRET_NAME"
          value = "projects/${var.project_id}/secrets/${local.app_secret}"
        }

        resources {
          limits = { cpu = "1", memory = local.is_stream ? "512Mi" : var.rebuild_memory }
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
