locals {
  tables_folder = "${path.module}/../pipelines/tables"
  warehouse     = "bigquery://${var.project_id}.${google_bigquery_dataset.this.dataset_id}"

  # Columns, partitions and clustering come from pipelines/tables, which the pipelines hold the tables to.
  tables = jsondecode(file("${local.tables_folder}/layout.json"))

  views = {
    for file in fileset("${local.tables_folder}/views", "*.sql") : trimsuffix(file, ".sql") => templatefile(
      "${local.tables_folder}/views/${file}", { dataset = "${var.project_id}.${google_bigquery_dataset.this.dataset_id}" }
    )
  }
  # Views over views, which come after those that they read.
  upper_views = toset([for name, sql in local.views : name if anytrue([for other in keys(local.views) : strcontains(sql, ".${other}")])])
  lower_views = setsubtract(keys(local.views), local.upper_views)
}

resource "google_bigquery_dataset" "this" {
  dataset_id  = var.dataset
  description = "Heavy Rotation: each play once, and the ten most played of every month."
  location    = var.region
  # The pipelines look at it: months of another time zone would be other months.
  labels = { time_zone = replace(replace(lower(var.time_zone), "/", "-"), "+", "_plus_") }

  delete_contents_on_destroy = false
  max_time_travel_hours      = 168

  dynamic "default_encryption_configuration" {
    for_each = var.kms_key_name[*]

    content {
      kms_key_name = default_encryption_configuration.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}

resource "google_bigquery_table" "table" {
  for_each = local.tables

  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = each.key
  schema              = file("${local.tables_folder}/${each.key}.json")
  clustering          = try(each.value.clustering.fields, null)
  deletion_protection = var.deletion_protection

  time_partitioning {
    type  = each.value.timePartitioning.type
    field = each.value.timePartitioning.field
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key_name[*]

    content {
      kms_key_name = encryption_configuration.value
    }
  }
}

resource "google_bigquery_table" "lower_view" {
  #checkov:skip=CKV_GCP_121:A view holds no data, and comes back with the next apply.
  #checkov:skip=CKV_GCP_80:A view stores nothing that a key could protect.
  for_each = local.lower_views

  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = each.key
  deletion_protection = false

  view {
    query          = local.views[each.key]
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.table]
}

resource "google_bigquery_table" "upper_view" {
  #checkov:skip=CKV_GCP_121:A view holds no data, and comes back with the next apply.
  #checkov:skip=CKV_GCP_80:A view stores nothing that a key could protect.
  for_each = local.upper_views

  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = each.key
  deletion_protection = false

  view {
    query          = local.views[each.key]
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.lower_view]
}

# A file of no plays. Without it BigQuery takes the columns of raw_plays from the last file by name, and a column that only
# new files have would come and go.
resource "google_storage_bucket_object" "play_schema" {
  count = var.raw_plays ? 1 : 0

  bucket       = google_storage_bucket.this.name
  name         = "schemas/play.avro"
  source       = "${local.tables_folder}/play.avro"
  content_type = "application/avro"
}

# The archive as it is, every message of it, for a look at what the tables were made from.
resource "google_bigquery_table" "raw_plays" {
  #checkov:skip=CKV_GCP_121:It holds no data: the archive stays when it goes.
  #checkov:skip=CKV_GCP_80:The files are encrypted with the bucket's key.
  count = var.raw_plays ? 1 : 0

  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = "raw_plays"
  description         = "The raw Avro archive: every play as it came, some more than once."
  deletion_protection = false

  external_data_configuration {
    source_format             = "AVRO"
    source_uris               = ["${local.archive}/plays/*.avro"]
    reference_file_schema_uri = "gs://${google_storage_bucket_object.play_schema[0].bucket}/${google_storage_bucket_object.play_schema[0].name}"
    autodetect                = true

    avro_options {
      use_avro_logical_types = true
    }

    # 2026-11 is no date, and must not be taken for one, or for a number.
    hive_partitioning_options {
      mode              = "CUSTOM"
      source_uri_prefix = "${local.archive}/plays/{month:STRING}"
    }
  }
}
