# The pages: a Cloud Run service that sleeps while nobody looks, behind Google's Identity-Aware Proxy, for web_users. Its
# account reads the tables and what polling remembers, and can change nothing.
locals {
  has_web  = var.web && local.has_image
  web_name = "web"
}

resource "google_cloud_run_v2_service" "web" {
  # The provider google knows iap_enabled from its version 7 on.
  provider = google-beta
  count    = local.has_web ? 1 : 0

  name                = local.web_name
  location            = var.region
  description         = "Heavy Rotation's pages."
  deletion_protection = false  # It holds nothing.
  launch_stage        = "BETA" # For iap_enabled.
  iap_enabled         = true

  template {
    service_account                  = local.emails["web"]
    encryption_key                   = var.kms_key_name
    timeout                          = "300s"
    max_instance_request_concurrency = 20

    scaling {
      min_instance_count = 0
      max_instance_count = 2
    }

    containers {
      image = "${local.registry}/web:${var.image_tag}"
      args = [
        "--warehouse=${local.warehouse}",
        "--state=gs://${google_storage_bucket.this.name}/state",
        "--host=0.0.0.0",
        "--port=8080",
        "--no-browser",
        # For whom IAP signs: another service's header is not good for this one.
        "--iap-audience=/projects/${local.project_number}/locations/${var.region}/services/${local.web_name}",
      ]

      ports {
        container_port = 8080
      }

      resources {
        limits            = { cpu = "1", memory = "1Gi" }
        cpu_idle          = true
        startup_cpu_boost = true
      }
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.service, google_project_service.api]
}

# Whoever comes past IAP is refused by Cloud Run, and would be by the pages, which check what IAP signs.
resource "google_cloud_run_v2_service_iam_member" "iap_invokes_web" {
  count = local.has_web ? 1 : 0

  name     = google_cloud_run_v2_service.web[0].name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_project_service_identity.this["iap.googleapis.com"].member
}

resource "google_iap_web_cloud_run_service_iam_member" "users" {
  for_each = local.has_web ? toset(var.web_users) : toset([])

  cloud_run_service_name = google_cloud_run_v2_service.web[0].name
  location               = var.region
  role                   = "roles/iap.httpsResourceAccessor"
  member                 = each.key
}

resource "google_bigquery_dataset_iam_member" "web_reads" {
  count = var.web ? 1 : 0

  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = local.members["web"]
}
