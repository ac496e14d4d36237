resource "google_monitoring_notification_channel" "budget" {
  count = var.billing_account == null || var.budget_email == null ? 0 : 1

  display_name = "Heavy Rotation: the budget's e-mail"
  type         = "email"
  labels       = { email_address = var.budget_email }

  depends_on = [google_project_service.api]
}

resource "google_billing_budget" "this" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "Heavy Rotation: ${var.runbook}#what-it-costs"

  budget_filter {
    projects               = ["projects/${local.project_number}"]
    calendar_period        = "MONTH"
    credit_types_treatment = "INCLUDE_ALL_CREDITS"
  }

  amount {
    specified_amount {
      units = tostring(var.monthly_budget)
    }
  }

  threshold_rules {
    threshold_percent = 0.5
  }

  threshold_rules {
    threshold_percent = 1.0
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  # E-mail only: a budget's messages to a topic are a report several times a day, whatever was spent.
  all_updates_rule {
    monitoring_notification_channels = concat(
      [google_monitoring_notification_channel.email.id],
      google_monitoring_notification_channel.budget[*].id,
    )
  }

  depends_on = [google_project_service.api]
}
