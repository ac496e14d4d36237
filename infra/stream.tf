# Size stream: the streaming pipeline on Dataflow, around the clock.
locals {
  stream_options = {
    subscription          = local.subscription
    archive               = local.archive
    warehouse             = local.warehouse
    time_zone             = var.time_zone
    bigquery_write_method = var.bigquery_write_method
  }
}

resource "google_dataflow_flex_template_job" "stream" {
  provider = google-beta
  count    = local.is_stream && local.has_image ? 1 : 0

  name                    = "stream"
  region                  = var.region
  container_spec_gcs_path = "gs://${google_storage_bucket.this.name}/templates/${var.image_tag}/stream.json"

  parameters = local.stream_options

  # Machine, workers, network, image and the bucket's folders are said by the template (templates/build.sh), not here: the
  # provider reads them back from a Python job as if they were gone, and would launch the job anew with every apply.
  enable_streaming_engine = true
  additional_experiments  = ["use_runner_v2"]
  launcher_machine_type   = "e2-medium"
  autoscaling_algorithm   = "THROUGHPUT_BASED"

  service_account_email = local.emails["stream"]
  ip_configuration      = "WORKER_IP_PRIVATE"
  kms_key_name          = var.kms_key_name

  # What was read is finished. The next job takes the months up from the archive.
  on_delete              = "drain"
  labels                 = local.labels
  transform_name_mapping = var.renamed_steps

  depends_on = [
    google_artifact_registry_repository_iam_member.dataflow_pulls,
    google_bigquery_dataset_iam_member.writers,
    google_bigquery_table.table,
    google_compute_firewall.workers,
    google_compute_subnetwork.stream,
    google_kms_crypto_key_iam_member.service,
    google_project_iam_member.load_jobs,
    google_project_iam_member.dataflow_launches,
    google_project_iam_member.dataflow_works,
    google_pubsub_subscription_iam_member.reader,
    google_service_account_iam_member.dataflow_is_itself,
    google_storage_managed_folder_iam_member.this,
  ]
}
