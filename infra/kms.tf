# With a key of one's own, the services that store something must be allowed to use it. Without one, nothing here is made.
locals {
  key_users = var.kms_key_name == null ? {} : merge(
    {
      artifactregistry = google_project_service_identity.this["artifactregistry.googleapis.com"].member
      bigquery         = "serviceAccount:${data.google_bigquery_default_service_account.this[0].email}"
      run              = google_project_service_identity.this["run.googleapis.com"].member
      secretmanager    = google_project_service_identity.this["secretmanager.googleapis.com"].member
      storage          = data.google_storage_project_service_account.this[0].member
    },
    local.is_stream ? {
      compute  = "serviceAccount:service-${local.project_number}@compute-system.iam.gserviceaccount.com"
      dataflow = google_project_service_identity.this["dataflow.googleapis.com"].member
    } : {},
    local.has_topics ? { pubsub = google_project_service_identity.this["pubsub.googleapis.com"].member } : {},
    var.slack ? { workflows = google_project_service_identity.this["workflows.googleapis.com"].member } : {},
  )
  key_identities = var.kms_key_name == null ? [] : concat(
    ["artifactregistry.googleapis.com", "run.googleapis.com", "secretmanager.googleapis.com"],
    local.is_stream ? ["dataflow.googleapis.com"] : [],
    local.has_topics ? ["pubsub.googleapis.com"] : [],
    var.slack ? ["workflows.googleapis.com"] : [],
  )
}

data "google_storage_project_service_account" "this" {
  count = var.kms_key_name == null ? 0 : 1
}

data "google_bigquery_default_service_account" "this" {
  count = var.kms_key_name == null ? 0 : 1
}

resource "google_kms_crypto_key_iam_member" "service" {
  for_each = local.key_users

  crypto_key_id = var.kms_key_name
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}
