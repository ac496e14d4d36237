# Size stream: plays on their way from the producer to Dataflow.
locals {
  # Names rather than ids, which are the same: a plan knows them, and so can be read.
  topic        = local.is_stream ? "projects/${var.project_id}/topics/${google_pubsub_topic.plays[0].name}" : null
  subscription = local.is_stream ? "projects/${var.project_id}/subscriptions/${google_pubsub_subscription.stream[0].name}" : null
}

resource "google_pubsub_topic" "plays" {
  count = local.is_stream ? 1 : 0

  name = "plays"
  # The longest there is: so far back can the subscription be sought to.
  message_retention_duration = "2678400s"
  kms_key_name               = var.kms_key_name

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}

# No dead letters and no retry policy: Dataflow supports neither on the subscription that it reads. What cannot be parsed
# goes to the table rejected, and is acknowledged.
resource "google_pubsub_subscription" "stream" {
  count = local.is_stream ? 1 : 0

  name  = "plays-stream"
  topic = google_pubsub_topic.plays[0].id
  # Messages are acknowledged once they are archived; that takes longer than the 10 seconds of the default.
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"
  # With them a reader can be taken back to any moment of the last seven days.
  retain_acked_messages = true

  expiration_policy {
    ttl = "" # Never: a subscription that nobody reads for a month must not go, and its messages with it.
  }
}
