# Recaps that are published: the only bucket that everybody may read. Whoever knows an object's name, 128 bits of it drawn by
# a machine, reads it; nobody lists the names. Nothing in it is the only copy, and what is taken back is gone at once: there
# are no older versions, and nothing is kept after a deletion.
resource "google_storage_bucket" "recaps" {
  #checkov:skip=CKV_GCP_62:Access logs would say who looked at what somebody sent them.
  #checkov:skip=CKV_GCP_78:What is taken back has to be gone, older versions too.
  #checkov:skip=CKV_GCP_114:To be read by everybody who has a name is what it is for; it is off unless recap_bucket names it.
  count = var.recap_bucket == null ? 0 : 1

  name     = var.recap_bucket
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "inherited"
  force_destroy               = true

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  dynamic "encryption" {
    for_each = var.kms_key_name[*]

    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}

# storage.objects.get and nothing else: roles/storage.objectViewer would list, too.
resource "google_storage_bucket_iam_member" "everybody_reads_recaps" {
  #checkov:skip=CKV_GCP_28:As above: this bucket is public by its purpose, and by this right only to read.
  count = var.recap_bucket == null ? 0 : 1

  bucket = google_storage_bucket.recaps[0].name
  role   = "roles/storage.legacyObjectReader"
  member = "allUsers"
}
