locals {
  bucket  = coalesce(var.bucket, "${var.project_id}-heavy-rotation")
  archive = "gs://${google_storage_bucket.this.name}/archive"

  # Folders with rights of their own.
  folders = toset(["archive", "archive/rebuilt", "state", "staging", "temp", "templates"])
}

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62:Access logs would need a second bucket and tell little: who may reach this one is a few accounts in iam.tf, and Cloud Audit Logs can be switched on for it.
  name     = local.bucket
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # With a bucket that is not empty, the destruction of everything stops here.
  force_destroy = !var.deletion_protection

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  # Of the archive only what was deleted or replaced ever goes, and nothing replaces its files.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = var.noncurrent_days
      with_state                 = "ARCHIVED"
    }
  }

  # These are replaced every few minutes; the last three are enough to take a mistake back.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 3
      matches_prefix     = ["state/", "archive/rebuilt/"]
      with_state         = "ARCHIVED"
    }
  }

  # Plays that a rebuild was about to load, and ended without removing. Nothing there is read for longer than a day.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 1
      matches_prefix = ["temp/rebuild-"]
      with_state     = "LIVE"
    }
  }

  # Rows on their way to BigQuery wait here until it takes them, and the sources of builds. What a job was launched from,
  # the rest of staging/, it needs for as long as it runs.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = 7
      matches_prefix = ["temp/", "staging/source/"]
      with_state     = "LIVE"
    }
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 1
      matches_prefix             = ["temp/", "staging/source/"]
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 7
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key_name[*]

    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}

# Rights on a folder, listing included, that conditions on names in the bucket's policy could not give.
resource "google_storage_managed_folder" "this" {
  for_each = local.folders

  bucket        = google_storage_bucket.this.name
  name          = "${each.key}/"
  force_destroy = !var.deletion_protection
}
