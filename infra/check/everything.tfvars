# For the checks: all that there can be, so that nothing is left out of them.
project_id      = "my-project"
alert_email     = "me@example.com"
size            = "stream"
image_tag       = "v1"
slack           = true
raw_plays       = true
billing_account = "012345-6789AB-CDEF01"
budget_email    = "channel@example.slack.com"
renamed_steps   = { "Old name" = "New name" }
kms_key_name    = "projects/my-project/locations/europe-west1/keyRings/heavy-rotation/cryptoKeys/plays"
web             = true
web_users       = ["user:me@example.com", "group:us@example.com"]
recap_bucket    = "my-project-recaps"
watch           = true
contact         = "me@example.com"
