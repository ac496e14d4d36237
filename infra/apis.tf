locals {
  is_stream = var.size == "stream"
  # Before the image is built there is nothing to run, and nothing to watch.
  has_image = var.image_tag != null
  # Plays of size stream, and alerts on their way to Slack.
  has_topics = local.is_stream || var.slack
  labels     = { application = "heavy-rotation" }

  apis = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "bigquery.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "serviceusage.googleapis.com",
      "storage.googleapis.com",
    ],
    local.is_stream ? ["compute.googleapis.com", "dataflow.googleapis.com"] : [],
    local.has_topics ? ["pubsub.googleapis.com"] : [],
    var.slack ? ["eventarc.googleapis.com", "workflows.googleapis.com", "workflowexecutions.googleapis.com"] : [],
    var.web ? ["iap.googleapis.com"] : [],
    var.billing_account == null ? [] : ["billingbudgets.googleapis.com"],
    var.kms_key_name == null ? [] : ["cloudkms.googleapis.com"],
  ))
}

resource "google_project_service" "api" {
  for_each = local.apis

  service            = each.key
  disable_on_destroy = false # Others in the project may use it.
}
