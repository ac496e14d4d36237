# What is beside the plays: once a day, playlists and artists that are watched, and what open sources know. Both write where
# the producer writes, with its account: they share its logins, its state and the day's budget of requests.
locals {
  watching_places = [
    "--archive=${local.archive}",
    "--state=gs://${google_storage_bucket.this.name}/state",
    "--logins=${local.logins}",
  ]
  # In size stream they publish, and look into the archive for what was heard.
  watching_options = local.is_stream ? concat(["--topic=${local.topic}"], local.watching_places) : local.watching_places

  # At night, one after the other, well before the day's polls are needed; `enrich` ends by itself after --minutes.
  watching = local.has_image ? merge(
    var.watch ? { snapshot = { words = ["snapshot", "--once"], at = "10 4 * * *", about = "Asks Spotify about what is watched and due." } } : {},
    var.contact == null ? {} : { enrich = { words = ["enrich", "--minutes=30"], at = "40 4 * * *", about = "Asks Spotify and open sources about what was heard." } },
  ) : {}
}

resource "google_cloud_run_v2_job" "watching" {
  for_each = local.watching

  name                = each.key
  location            = var.region
  deletion_protection = false # It holds nothing.

  template {
    task_count = 1

    template {
      service_account = local.emails["producer"]
      encryption_key  = var.kms_key_name
      timeout         = "2700s"
      max_retries     = 0 # The next day's goes on where it ended.

      containers {
        image   = local.image
        command = ["as_listener", "python", "-m", "producer"]
        args    = concat(each.value.words, local.watching_options)

        env {
          name  = "SPOTIFY_CLIENT_SECRET_NAME"
          value = "projects/${var.project_id}/secrets/${local.app_secret}"
        }

        dynamic "env" {
          for_each = var.contact[*]

          content {
            name  = "HEAVY_ROTATION_CONTACT"
            value = env.value
          }
        }

        resources {
          limits = { cpu = "1", memory = "1Gi" }
        }
      }
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.service]
}

resource "google_cloud_scheduler_job" "watching" {
  for_each = local.watching

  name        = each.key
  description = each.value.about
  region      = var.region
  schedule    = each.value.at
  time_zone   = var.time_zone

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${google_cloud_run_v2_job.watching[each.key].name}:run"

    oauth_token {
      service_account_email = local.emails["scheduler"]
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler_starts_watching]
}

resource "google_cloud_run_v2_job_iam_member" "scheduler_starts_watching" {
  for_each = local.watching

  name     = google_cloud_run_v2_job.watching[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.members["scheduler"]
}
