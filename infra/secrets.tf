# Secrets without values: those are added by command (output next_steps), and so never are in Terraform's state.
# Logins are not here: `python -m producer login` makes a secret for each account, named heavy-rotation-ACCOUNT.
locals {
  logins         = "secretmanager://${var.project_id}"
  logins_prefix  = "heavy-rotation-"
  app_secret     = "spotify-app"
  slack_secret   = "slack-webhook"
  secret_ids     = toset(concat([local.app_secret], var.slack ? [local.slack_secret] : []))
  project_number = data.google_project.this.number
}

resource "google_secret_manager_secret" "this" {
  for_each = local.secret_ids

  secret_id           = each.key
  deletion_protection = var.deletion_protection

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.kms_key_name[*]

          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.service]
}
