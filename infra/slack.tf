# Cloud Monitoring's own channels for Slack and for webhooks keep a token in Terraform's state, or the secret address in
# the channel, and the webhook's form is not what Slack takes. So alerts go to a topic, and a workflow, which needs no
# image and no server, reads the webhook from Secret Manager and tells Slack.
resource "google_pubsub_topic" "alerts" {
  count = var.slack ? 1 : 0

  name         = "alerts"
  kms_key_name = var.kms_key_name

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}

resource "google_monitoring_notification_channel" "slack" {
  count = var.slack ? 1 : 0

  display_name = "Heavy Rotation: Slack"
  type         = "pubsub"
  labels       = { topic = google_pubsub_topic.alerts[0].id }
}

# Google makes this account with the first channel of this kind.
resource "google_pubsub_topic_iam_member" "monitoring_publishes" {
  count = var.slack ? 1 : 0

  topic  = google_pubsub_topic.alerts[0].id
  role   = "roles/pubsub.publisher"
  member = local.monitoring_agent

  depends_on = [google_monitoring_notification_channel.slack]
}

resource "google_workflows_workflow" "slack" {
  count = var.slack ? 1 : 0

  name                = "alerts-to-slack"
  region              = var.region
  description         = "Posts an alert to Slack's webhook."
  service_account     = local.emails["slack"]
  call_log_level      = "LOG_NONE" # Logs of calls would show the webhook.
  crypto_key_name     = var.kms_key_name
  deletion_protection = false
  source_contents = templatefile("${path.module}/slack.yaml", {
    secret = google_secret_manager_secret.this[local.slack_secret].secret_id
  })

  depends_on = [google_kms_crypto_key_iam_member.service]
}

resource "google_eventarc_trigger" "slack" {
  count = var.slack ? 1 : 0

  name            = "alerts-to-slack"
  location        = var.region
  service_account = local.emails["slack"]

  matching_criteria {
    attribute = "type"
    value     = "google.cloud.pubsub.topic.v1.messagePublished"
  }

  transport {
    pubsub {
      topic = google_pubsub_topic.alerts[0].id
    }
  }

  destination {
    workflow = google_workflows_workflow.slack[0].id
  }

  depends_on = [google_project_iam_member.slack_starts]
}

resource "google_secret_manager_secret_iam_member" "slack_knows_the_webhook" {
  count = var.slack ? 1 : 0

  secret_id = google_secret_manager_secret.this[local.slack_secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.members["slack"]
}

resource "google_project_iam_member" "slack_starts" {
  # For the whole project, since a workflow has no policy of its own.
  count = var.slack ? 1 : 0

  project = var.project_id
  role    = "roles/workflows.invoker"
  member  = local.members["slack"]
}
