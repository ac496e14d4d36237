output "next_steps" {
  description = "The commands from an empty project to a running system, in their order."
  value = join("\n", concat(
    [
      "# 1. The image and the templates:",
      "templates/build.sh --project=${var.project_id} --region=${var.region} --bucket=${google_storage_bucket.this.name} --service-account=${local.emails["builder"]} --tag=v1${var.web ? " --web" : ""}",
      "# 2. The app at Spotify: type {\"client_id\": \"...\", \"client_secret\": \"...\"}, Enter, Ctrl-D:",
      "gcloud secrets versions add ${local.app_secret} --project=${var.project_id} --data-file=-",
    ],
    var.slack ? [
      "# Slack's webhook: paste its address, Enter, Ctrl-D:",
      "gcloud secrets versions add ${local.slack_secret} --project=${var.project_id} --data-file=-",
    ] : [],
    [
      "# 3. A login for each account:",
      local.login,
      "# 4. What runs it: image_tag = \"v1\" in infra/terraform.tfvars, so that every apply knows it; then:",
      "terraform -chdir=infra apply",
      local.poll_now,
    ],
  ))
}

locals {
  poll_now = "gcloud run jobs execute poll --project=${var.project_id} --region=${var.region} --wait"
  login    = "SPOTIFY_CLIENT_SECRET_NAME=projects/${var.project_id}/secrets/${local.app_secret} python -m producer login --logins=${local.logins}"
}

output "login" {
  description = "Logs an account in to Spotify, and keeps its token in Secret Manager."
  value       = local.login
}

output "poll_now" {
  description = "Runs a poll now, and waits for its end."
  value       = local.poll_now
}

output "doctor" {
  description = "Says what is wrong with polling, and what to do."
  value = join(" ", [
    "SPOTIFY_CLIENT_SECRET_NAME=projects/${var.project_id}/secrets/${local.app_secret}",
    "python -m producer doctor --logins=${local.logins} --state=gs://${google_storage_bucket.this.name}/state",
    local.is_stream ? "--topic=${local.topic}" : "--archive=${local.archive}",
  ])
}

locals {
  bucket_address = "gs://${google_storage_bucket.this.name}"
  launched = {
    stream  = local.stream_options
    rebuild = { for name in ["archive", "warehouse", "time_zone"] : name => local.rebuild_options[name] }
  }
  launch = { for name, options in local.launched : name => !local.is_stream || !local.has_image ? null : join(" ", concat(
    [
      "gcloud dataflow flex-template run ${name} --project=${var.project_id} --region=${var.region}",
      "--template-file-gcs-location=${local.bucket_address}/templates/${var.image_tag}/${name}.json",
      "--service-account-email=${local.emails[name]}",
      "--disable-public-ips",
      "--launcher-machine-type=e2-medium --additional-experiments=use_runner_v2",
      "--additional-user-labels=${join(",", [for key, value in local.labels : "${key}=${value}"])}",
    ],
    name == "stream" ? ["--enable-streaming-engine"] : [],
    [for key in var.kms_key_name[*] : "--dataflow-kms-key=${key}"],
    [for option, value in options : "--parameters=${option}=${value}"],
  )) }
}

output "launch_stream" {
  description = "Size stream: launches by hand the job that Terraform launches; with --update it takes over from the one that runs."
  value       = local.launch.stream
}

output "launch_rebuild" {
  description = "Size stream: makes all tables again on Dataflow, for an archive that is too large for one machine."
  value       = local.launch.rebuild
}

output "rebuild_now" {
  description = "Size stream: makes the tables of months that got late plays again now, and waits for the end."
  value       = !local.is_stream ? null : "gcloud run jobs execute rebuild --project=${var.project_id} --region=${var.region} --wait"
}

output "query" {
  description = "Asks for the top ten tracks of this month."
  value       = "bq query --project_id=${var.project_id} --use_legacy_sql=false 'SELECT rank, track_name, artist_name, plays FROM ${var.dataset}.monthly_top_tracks WHERE month = DATE_TRUNC(CURRENT_DATE(\"${var.time_zone}\"), MONTH) ORDER BY user_id, rank'"
}

output "web" {
  description = "The address of the pages."
  value       = one(google_cloud_run_v2_service.web[*].uri)
}

output "publish_recap" {
  description = "Publishes the newest year; --unpublish ADDRESS takes it back."
  value       = var.recap_bucket == null ? null : "heavy-rotation recap --warehouse=${local.warehouse} --publish=gs://${var.recap_bucket}"
}

# Looker Studio's linking API: a link makes a report in the account of whoever opens it, who needs to see the tables.
output "looker_studio" {
  description = "A link for each view, which opens a new report on it in Looker Studio."
  value = { for view in keys(local.views) : view => join("&", [
    "https://lookerstudio.google.com/reporting/create?c.mode=edit",
    "r.reportName=Heavy%20Rotation",
    "ds.ds0.connector=bigQuery",
    "ds.ds0.type=TABLE",
    "ds.ds0.projectId=${var.project_id}",
    "ds.ds0.datasetId=${var.dataset}",
    "ds.ds0.tableId=${view}",
    "ds.ds0.datasourceName=${view}",
  ]) }
}

output "places" {
  description = "Where everything is."
  value = {
    archive      = local.archive
    state        = "gs://${google_storage_bucket.this.name}/state"
    warehouse    = local.warehouse
    topic        = local.topic
    subscription = local.subscription
    image        = local.image
  }
}
