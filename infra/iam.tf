# An account for each concern. Its rights are on single resources; the few that cannot be are at the end, with the reason.
# Nobody gets a key. Templates are launched, and logins made, by the person or the pipeline that runs Terraform.
locals {
  account_purposes = merge(
    {
      builder   = "builds the image in Cloud Build"
      producer  = local.is_stream ? "polls Spotify" : "polls Spotify, and rebuilds the months that changed"
      scheduler = "starts the Cloud Run jobs"
    },
    local.is_stream ? {
      rebuild = "makes tables again from the archive"
      stream  = "Dataflow's launcher and workers of the stream"
    } : {},
    var.slack ? { slack = "sends alerts to Slack" } : {},
    var.web ? { web = "shows the pages" } : {},
  )
  emails  = { for name, account in google_service_account.this : name => "${account.account_id}@${var.project_id}.iam.gserviceaccount.com" }
  members = { for name, email in local.emails : name => "serviceAccount:${email}" }

  # Who launches a template on Dataflow, and works there.
  on_dataflow = toset(local.is_stream ? ["stream", "rebuild"] : [])

  # Who writes the archive, and who rebuilds tables from it, in this size.
  archivist = local.is_stream ? "stream" : "producer"
  rebuilder = local.is_stream ? "rebuild" : "producer"

  # A file of plays is never replaced, so its writer may create and not delete; manifests and state are.
  folder_roles = merge({
    producer_state    = { folder = "state", account = "producer", role = "roles/storage.objectUser" }
    archive_writes    = { folder = "archive", account = local.archivist, role = "roles/storage.objectCreator" }
    archive_reads     = { folder = "archive", account = local.archivist, role = "roles/storage.objectViewer" }
    builder_source    = { folder = "staging", account = "builder", role = "roles/storage.objectViewer" }
    rebuild_manifests = { folder = "archive/rebuilt", account = local.rebuilder, role = "roles/storage.objectUser" }
    rebuild_temp      = { folder = "temp", account = local.rebuilder, role = "roles/storage.objectUser" }
    }, local.is_stream ? {
    rebuild_archive = { folder = "archive", account = "rebuild", role = "roles/storage.objectViewer" }
    rebuild_staging = { folder = "staging", account = "rebuild", role = "roles/storage.objectUser" }
    stream_temp     = { folder = "temp", account = "stream", role = "roles/storage.objectUser" }
    stream_staging  = { folder = "staging", account = "stream", role = "roles/storage.objectUser" }
    } : {}, local.is_stream && (var.watch || var.contact != null) ? {
    # What was heard, and what was asked before, is in the archive; in size small the producer reads it anyway.
    watching_archive = { folder = "archive", account = "producer", role = "roles/storage.objectViewer" }
    } : {}, var.web ? {
    web_state = { folder = "state", account = "web", role = "roles/storage.objectViewer" }
  } : {})

  monitoring_agent = "serviceAccount:service-${local.project_number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
}

# Accounts of Google's services. Google makes them when a service is first used, which is too late for the first apply:
# with a key of one's own (kms.tf) they use the key, and IAP's hands on what it lets in (web.tf).
resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = toset(concat(local.key_identities, var.web ? ["iap.googleapis.com"] : []))

  project = var.project_id
  service = each.key

  depends_on = [google_project_service.api]
}

resource "google_service_account" "this" {
  for_each = local.account_purposes

  account_id   = "heavy-rotation-${each.key}"
  display_name = "Heavy Rotation: ${each.value}"

  depends_on = [google_project_service.api]
}

resource "google_pubsub_topic_iam_member" "producer_publishes" {
  count = local.is_stream ? 1 : 0

  topic  = google_pubsub_topic.plays[0].id
  role   = "roles/pubsub.publisher"
  member = local.members["producer"]
}

resource "google_pubsub_subscription_iam_member" "reader" {
  # The viewer's role is for asking whether the subscription is there, which the subscriber's does not allow.
  for_each = toset(local.is_stream ? ["roles/pubsub.subscriber", "roles/pubsub.viewer"] : [])

  subscription = google_pubsub_subscription.stream[0].id
  role         = each.key
  member       = local.members["stream"]
}

resource "google_storage_managed_folder_iam_member" "this" {
  for_each = local.folder_roles

  bucket         = google_storage_bucket.this.name
  managed_folder = google_storage_managed_folder.this[each.value.folder].name
  role           = each.value.role
  member         = local.members[each.value.account]
}

resource "google_bigquery_dataset_iam_member" "writers" {
  for_each = toset([local.archivist, local.rebuilder])

  dataset_id = google_bigquery_dataset.this.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = local.members[each.key]
}

resource "google_secret_manager_secret_iam_member" "producer_knows_the_app" {
  secret_id = google_secret_manager_secret.this[local.app_secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.members["producer"]
}

resource "google_artifact_registry_repository_iam_member" "builder_pushes" {
  repository = google_artifact_registry_repository.this.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = local.members["builder"]
}

resource "google_artifact_registry_repository_iam_member" "dataflow_pulls" {
  for_each = local.on_dataflow

  repository = google_artifact_registry_repository.this.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = local.members[each.key]
}

# The launcher of a flex template runs as this account, and starts workers as this account.
resource "google_service_account_iam_member" "dataflow_is_itself" {
  for_each = local.on_dataflow

  service_account_id = google_service_account.this[each.key].name
  role               = "roles/iam.serviceAccountUser"
  member             = local.members[each.key]
}

# --- For the whole project, since there is nothing narrower ---

resource "google_project_iam_member" "builder_logs" {
  # Logs are written to a project. A build says what it does nowhere else.
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = local.members["builder"]
}

resource "google_project_iam_member" "load_jobs" {
  # A load job belongs to the project, not to a dataset, and so does a query. This allows to run jobs, not to see data.
  for_each = toset(concat(
    [local.rebuilder],
    local.is_stream && var.bigquery_write_method == "FILE_LOADS" ? ["stream"] : [],
    var.web ? ["web"] : [],
  ))

  project = var.project_id
  role    = "roles/bigquery.jobUser"
  member  = local.members[each.key]
}

# Dataflow's jobs belong to the project. The launcher of a template creates the job; the role that Google has for that
# may drain and cancel every job of the project too, so this one has only what launching takes. In both sizes, though
# small has nobody who holds it: a role that was deleted cannot be made again for weeks.
resource "google_project_iam_custom_role" "launches" {
  role_id     = "heavyRotationLaunches"
  title       = "Heavy Rotation: launches pipelines"
  description = "To create a Dataflow job, or to replace the one of the same name."
  permissions = [
    "dataflow.jobs.create",
    "dataflow.jobs.get",
    "dataflow.jobs.list",
    "dataflow.jobs.updateContents",
    "dataflow.messages.list",
    "dataflow.metrics.get",
  ]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "dataflow_launches" {
  # The role above.
  for_each = local.on_dataflow

  project = var.project_id
  role    = google_project_iam_custom_role.launches.id
  member  = local.members[each.key]
}

resource "google_project_iam_member" "dataflow_works" {
  # A worker takes its work from Dataflow, logs and is counted, all in the project. Google's role for that lets it read
  # and create objects in every bucket of the project too: where that is too much, give this a project of its own.
  for_each = local.on_dataflow

  project = var.project_id
  role    = "roles/dataflow.worker"
  member  = local.members[each.key]
}

# Which accounts have logged in, the producer learns by listing secrets, which is asked of a project; so this role
# has nothing but that.
resource "google_project_iam_custom_role" "lists_secrets" {
  role_id     = "heavyRotationListsSecrets"
  title       = "Heavy Rotation: lists secrets"
  description = "To see the names of secrets, and not what is in them."
  permissions = ["secretmanager.secrets.list"]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "producer_lists_logins" {
  # The role above.
  project = var.project_id
  role    = google_project_iam_custom_role.lists_secrets.id
  member  = local.members["producer"]
}

# Of two that refresh an account's token at once, one would destroy what the other got. So whoever refreshes holds a lease,
# which stands in the secret's annotations.
resource "google_project_iam_custom_role" "leases_logins" {
  role_id     = "heavyRotationLeasesLogins"
  title       = "Heavy Rotation: holds leases on logins"
  description = "To read and change a secret's annotations, and not what is in it."
  permissions = ["secretmanager.secrets.get", "secretmanager.secrets.update"]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "producer_keeps_logins" {
  # Logins come into being when people log in, so they have no resource here; the condition narrows it to their names.
  for_each = {
    reads  = "roles/secretmanager.secretAccessor"
    writes = "roles/secretmanager.secretVersionManager"
    leases = google_project_iam_custom_role.leases_logins.id
  }

  project = var.project_id
  role    = each.value
  member  = local.members["producer"]

  condition {
    title      = "logins"
    expression = "resource.name.startsWith(\"projects/${local.project_number}/secrets/${local.logins_prefix}\")"
  }
}
