# Names rather than ids, which are the same: a plan knows them, and so can be read.
locals {
  topic        = "projects/${var.project_id}/topics/${google_pubsub_topic.plays.name}"
  subscription = "projects/${var.project_id}/subscriptions/${google_pubsub_subscription.stream.name}"
}

resource "google_pubsub_topic" "plays" {
  name = "plays"
  # The longest there is: so far back can the subscription be sought to.
  message_retention_duration = "2678400s"
  kms_key_name               = var.kms_key_name

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}

resource "google_pubsub_subscription" "stream" {
  name  = "plays-stream"
  topic = google_pubsub_topic.plays.id
  # Messages are acknowledged once they are archived; that takes longer than the 10 seconds of the default.
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"
  # With them a reader can be taken back to any moment of the last seven days.
  retain_acked_messages = true

  expiration_policy {
    ttl = "" # Never: a subscription that nobody reads for a month must not go, and its messages with it.
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  # Dataflow counts tries in its own way and may leave a message here sooner or later than this number says; what
  # cannot be read it does not leave here at all, but in the table rejected.
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = var.delivery_attempts
  }
}

resource "google_pubsub_topic" "dead_letter" {
  name         = "plays-dead-letter"
  kms_key_name = var.kms_key_name

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}

# A topic keeps nothing for nobody: without this subscription, dead letters would be gone.
resource "google_pubsub_subscription" "dead_letter" {
  name                       = "plays-dead-letter"
  topic                      = google_pubsub_topic.dead_letter.id
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}
