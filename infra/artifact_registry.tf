locals {
  registry = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.this.repository_id}"
  image    = local.has_image ? "${local.registry}/pipelines:${var.image_tag}" : null
}

resource "google_artifact_registry_repository" "this" {
  repository_id = "heavy-rotation"
  description   = "The image of the pipelines and the producer, and that of the pages."
  location      = var.region
  format        = "DOCKER"
  kms_key_name  = var.kms_key_name

  docker_config {
    immutable_tags = true # What runs under a tag is what was tested under it.
  }

  # A gigabyte an image is most of what size small stores. Three allow a way back.
  cleanup_policies {
    id     = "keep-the-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = 3
    }
  }

  cleanup_policies {
    id     = "delete-the-others"
    action = "DELETE"

    condition {
      older_than = "86400s"
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}
