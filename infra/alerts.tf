# Every alert reaches a person by e-mail, and on Slack if that is wanted, and names the section of the runbook that ends it.
locals {
  channels = concat(
    [google_monitoring_notification_channel.email.id],
    google_monitoring_notification_channel.slack[*].id,
  )

  poll_log = "resource.type=\"cloud_run_job\" AND resource.labels.job_name=\"poll\" AND jsonPayload.event=\"poll\""

  # The first four are found in the line that the producer logs of each poll of an account; docs/producer.md lists its
  # fields. The last two are lines of the pipelines, of a Cloud Run job or of a worker of Dataflow.
  log_alerts = {
    producer_fails = {
      title    = "The producer fails"
      what     = "An account could not be polled for an hour, or was never polled well."
      section  = "the-producer-fails"
      severity = "ERROR"
      filter   = "${local.poll_log} AND jsonPayload.ok=false AND (jsonPayload.seconds_since_success>3600 OR jsonPayload.seconds_since_success=NULL_VALUE)"
      repeat   = "21600s"
    }
    gap = {
      title    = "A gap"
      what     = "Spotify's list did not reach back to the newest play known: plays may be missing."
      section  = "a-gap"
      severity = "WARNING"
      filter   = "${local.poll_log} AND jsonPayload.gaps_open>0"
      repeat   = "86400s"
    }
    token_ends = {
      title    = "A token near its end"
      what     = "A login ends within 30 days. Six months after it was made Spotify takes it no more, and polling stops."
      section  = "a-token-near-its-end"
      severity = "WARNING"
      filter   = "${local.poll_log} AND jsonPayload.token_days_left<30"
      repeat   = "86400s"
    }
    unreadable_item = {
      title    = "Spotify lists what cannot be read"
      what     = "An item that Spotify listed is no play as its API describes one. It is kept."
      section  = "rejects"
      severity = "WARNING"
      filter   = "${local.poll_log} AND jsonPayload.plays_rejected>0"
      repeat   = "86400s"
    }
    passed_over = {
      title    = "A file of the archive cannot be read"
      what     = "The stream passed it over and went on; the tables may lack its plays, and a rebuild leaves its months as they are."
      section  = "restore-a-month"
      severity = "ERROR"
      filter   = "${local.our_jobs} AND jsonPayload.message:\"${local.passed_over_line}\""
      repeat   = "86400s"
    }
    rejects = {
      title    = "Rejects"
      what     = "Rows came into the table rejected, with the reason beside each."
      section  = "rejects"
      severity = "WARNING"
      filter   = "${local.our_jobs} AND jsonPayload.message:\"${local.rejects_line}\""
      repeat   = "86400s"
    }
  }

  our_jobs         = "(resource.type=\"cloud_run_job\" OR resource.type=\"dataflow_step\")"
  rejects_line     = "went to the table rejected"
  passed_over_line = "was passed over, and the tables may lack its plays"

  subscription_name = local.is_stream ? google_pubsub_subscription.stream[0].name : ""

  of_stream = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${local.subscription_name}\""
  job_runs  = "resource.type=\"cloud_run_job\" AND metric.type=\"run.googleapis.com/job/completed_execution_count\""
  dataflow  = "resource.type=\"dataflow_job\" AND resource.labels.job_name=\"stream\""

  # above, or below: the metric is over the threshold, or under it, for so long. aligner and reducer make one number of it
  # every period.
  metric_alerts = merge(
    {
      # No absence condition: that would wait for a first poll that went well. Missing data counts as too little here.
      producer_silent = {
        title    = "The producer is silent"
        what     = "For an hour no account was polled well: the scheduler, the job or Spotify does not work."
        section  = "the-producer-fails"
        severity = "CRITICAL"
        filter   = "resource.type=\"cloud_run_job\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.polls.name}\""
        below    = 1
        duration = "60s"
        period   = "3600s"
        aligner  = "ALIGN_SUM"
      }
    },
    length(local.watching) == 0 ? {} : {
      watching_fails = {
        title    = "Watching fails"
        what     = "The nightly run of snapshot or of enrich ended with an error. The next goes on where it ended; no play is concerned."
        section  = "watching-fails"
        severity = "WARNING"
        filter   = "${local.job_runs} AND resource.labels.job_name=one_of(${join(", ", [for name in keys(local.watching) : "\"${name}\""])}) AND metric.labels.result=\"failed\""
        above    = 0
        duration = "0s"
        period   = "3600s"
        aligner  = "ALIGN_SUM"
      }
    },
    local.is_stream ? {
      data_is_old = {
        title    = "Data is old"
        what     = "A play has waited for an hour and is in no table."
        section  = "data-is-old"
        severity = "CRITICAL"
        filter   = "${local.of_stream} AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
        above    = 3600
        duration = "300s"
        period   = "300s"
        aligner  = "ALIGN_MAX"
      }
      rebuild_fails = {
        title    = "The nightly rebuild fails"
        what     = "Plays that came too late are archived, and no top ten counts them yet."
        section  = "data-is-old"
        severity = "WARNING"
        filter   = "${local.job_runs} AND resource.labels.job_name=\"rebuild\" AND metric.labels.result=\"failed\""
        above    = 0
        duration = "0s"
        period   = "3600s"
        aligner  = "ALIGN_SUM"
      }
      backlog = {
        title    = "Backlog"
        what     = "Messages wait: they come faster than the stream takes them, or it does not run."
        section  = "backlog"
        severity = "WARNING"
        filter   = "${local.of_stream} AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
        above    = 600
        duration = "300s"
        period   = "300s"
        aligner  = "ALIGN_MAX"
      }
      system_lag = {
        title    = "The stream lags"
        what     = "An element has been in the pipeline for five minutes without getting through."
        section  = "backlog"
        severity = "WARNING"
        filter   = "${local.dataflow} AND metric.type=\"dataflow.googleapis.com/job/system_lag\""
        above    = 300
        duration = "600s"
        period   = "300s"
        aligner  = "ALIGN_MAX"
      }
      } : {
      runs_fail = {
        title    = "The runs fail"
        what     = "Three runs failed within an hour: polling an account, or the rebuild after it."
        section  = "the-producer-fails"
        severity = "ERROR"
        filter   = "${local.job_runs} AND resource.labels.job_name=\"poll\" AND metric.labels.result=\"failed\""
        above    = 2
        duration = "0s"
        period   = "3600s"
        aligner  = "ALIGN_SUM"
      }
    },
  )

  absence_alerts = local.is_stream ? {
    stream_stopped = {
      title    = "The stream does not run"
      what     = "Dataflow says nothing of the job for a quarter of an hour. Messages wait, and none is lost for seven days."
      section  = "cancel-and-come-back"
      severity = "CRITICAL"
      filter   = "${local.dataflow} AND metric.type=\"dataflow.googleapis.com/job/system_lag\""
      duration = "900s"
    }
  } : {}
}

resource "google_monitoring_notification_channel" "email" {
  display_name = "Heavy Rotation: e-mail"
  type         = "email"
  labels       = { email_address = var.alert_email }

  depends_on = [google_project_service.api]
}

# Polls that went well. There is no alert on a log line that does not come, but on a metric that stays at nothing.
resource "google_logging_metric" "polls" {
  name        = "heavy-rotation-polls"
  description = "Polls of an account that went well."
  filter      = "${local.poll_log} AND jsonPayload.ok=true"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "log" {
  for_each = local.has_image ? local.log_alerts : {}

  display_name          = "Heavy Rotation: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_matched_log {
      filter           = each.value.filter
      label_extractors = startswith(each.value.filter, local.poll_log) ? { account = "EXTRACT(labels.account)" } : null
    }
  }

  documentation {
    subject   = "Heavy Rotation: ${each.value.title}"
    mime_type = "text/markdown"
    content   = "${startswith(each.value.filter, local.poll_log) ? "$${log.extracted_label.account}: " : ""}${each.value.what}\n\nWhat to do: ${var.runbook}#${each.value.section}"
  }

  alert_strategy {
    auto_close = "86400s"

    notification_rate_limit {
      period = each.value.repeat
    }
  }
}

resource "google_monitoring_alert_policy" "metric" {
  for_each = local.has_image ? local.metric_alerts : {}

  display_name          = "Heavy Rotation: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter                  = each.value.filter
      comparison              = can(each.value.below) ? "COMPARISON_LT" : "COMPARISON_GT"
      threshold_value         = can(each.value.below) ? each.value.below : each.value.above
      duration                = each.value.duration
      evaluation_missing_data = can(each.value.below) ? "EVALUATION_MISSING_DATA_ACTIVE" : null

      aggregations {
        alignment_period     = each.value.period
        per_series_aligner   = each.value.aligner
        cross_series_reducer = each.value.aligner == "ALIGN_SUM" ? "REDUCE_SUM" : "REDUCE_MAX"
      }
    }
  }

  documentation {
    subject   = "Heavy Rotation: ${each.value.title}"
    mime_type = "text/markdown"
    content   = "${each.value.what}\n\nWhat to do: ${var.runbook}#${each.value.section}"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}

resource "google_monitoring_alert_policy" "absence" {
  for_each = local.has_image ? local.absence_alerts : {}

  display_name          = "Heavy Rotation: ${each.value.title}"
  severity              = each.value.severity
  combiner              = "OR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_absent {
      filter   = each.value.filter
      duration = each.value.duration

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  documentation {
    subject   = "Heavy Rotation: ${each.value.title}"
    mime_type = "text/markdown"
    content   = "${each.value.what}\n\nWhat to do: ${var.runbook}#${each.value.section}"
  }

  alert_strategy {
    auto_close = "86400s"
  }
}
