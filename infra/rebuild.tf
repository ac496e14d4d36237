locals {
  rebuild_options = {
    archive       = local.archive
    warehouse     = local.warehouse
    time_zone     = var.time_zone
    temp_location = "gs://${google_storage_bucket.this.name}/temp"
  }
}

# Size stream: the months that got plays after the stream had closed them, mostly none, and then a few seconds of one
# container. A Dataflow job would spend minutes on starting machines. Everything anew is for the template
# (docs/operations.md). In size small each run of the producer rebuilds what changed, and there is nothing left to do.
resource "google_cloud_run_v2_job" "rebuild" {
  count = local.is_stream && local.has_image ? 1 : 0

  name                = "rebuild"
  location            = var.region
  deletion_protection = false # It holds nothing.

  template {
    task_count = 1

    template {
      service_account = local.emails["rebuild"]
      encryption_key  = var.kms_key_name
      timeout         = "3600s"
      max_retries     = 1

      containers {
        image   = local.image
        command = ["as_listener", "python", "-m", "pipelines.rebuild"]
        args    = [for name, value in merge(local.rebuild_options, { months = "late" }) : "--${name}=${value}"]

        resources {
          limits = { cpu = "1", memory = var.rebuild_memory }
        }
      }
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.service]
}

resource "google_cloud_scheduler_job" "rebuild" {
  count = local.is_stream && local.has_image ? 1 : 0

  name        = "rebuild"
  description = "Counts the plays that came too late for the stream."
  region      = var.region
  schedule    = "30 3 * * *"
  time_zone   = var.time_zone

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${google_cloud_run_v2_job.rebuild[0].name}:run"

    oauth_token {
      service_account_email = local.emails["scheduler"]
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler_starts_rebuild]
}

resource "google_cloud_run_v2_job_iam_member" "scheduler_starts_rebuild" {
  count = local.is_stream && local.has_image ? 1 : 0

  name     = google_cloud_run_v2_job.rebuild[0].name
  location = var.region
  role     = "roles/run.invoker"
  member   = local.members["scheduler"]
}
