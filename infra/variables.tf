variable "project_id" {
  description = "The Google Cloud project that everything is in; it exists and has a billing account."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "A project's id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  description = "Where all of it is and runs: bucket, tables, messages and jobs."
  type        = string
  default     = "europe-west1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Name a region, such as europe-west1 or us-central1, not a zone or a continent."
  }
}

variable "size" {
  description = "stream: Pub/Sub, and Dataflow around the clock. small: a Cloud Run job every few minutes. docs/operations.md says what each costs."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["small", "stream"], var.size)
    error_message = "There are the sizes small and stream."
  }
}

variable "image_tag" {
  description = "The tag of the image that templates/build.sh made. Null, before there is one, leaves out what runs it."
  type        = string
  default     = null

  validation {
    condition     = var.image_tag == null || can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag))
    error_message = "A tag has letters, digits, underscores, full stops and hyphens, 128 at most."
  }
}

variable "time_zone" {
  description = "The time zone that months are counted in, as the IANA database names it. Changed later, all tables have to be made again: drain, apply, rebuild without --months, apply."
  type        = string
  default     = "Europe/Paris"
  nullable    = false

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_+-]+){1,2})$", var.time_zone))
    error_message = "Name a time zone as the IANA database does, such as Europe/Paris."
  }
}

variable "poll_minutes" {
  description = "Minutes between polls. Spotify lists the last 50 plays, which take 25 minutes at least: 20 is the longest that is safe."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = contains([5, 10, 15, 20], var.poll_minutes)
    error_message = "Poll every 5, 10, 15 or 20 minutes; more rarely, plays are missed."
  }
}

variable "alert_email" {
  description = "The address that alerts go to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.alert_email))
    error_message = "Alerts need an e-mail address."
  }
}

variable "slack" {
  description = "Whether alerts go to Slack too; the webhook is then added to Secret Manager by the command in the output next_steps."
  type        = bool
  default     = false
  nullable    = false
}

variable "runbook" {
  description = "Where docs/operations.md is found; each alert names a section of it."
  type        = string
  default     = "docs/operations.md"
  nullable    = false

  validation {
    condition     = endswith(var.runbook, "docs/operations.md")
    error_message = "This is the path or the address of docs/operations.md."
  }
}

variable "billing_account" {
  description = "The billing account, 012345-6789AB-CDEF01, for a budget. Null makes no budget; making one needs the role Billing Account Costs Manager."
  type        = string
  default     = null

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "A billing account's id is three groups of six hexadecimal digits: 012345-6789AB-CDEF01."
  }
}

variable "budget_email" {
  description = "Another address that the budget tells, such as that of a Slack channel. Null tells alert_email only."
  type        = string
  default     = null

  validation {
    condition     = var.budget_email == null || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.budget_email))
    error_message = "This is an e-mail address."
  }
}

variable "monthly_budget" {
  description = "What a month may cost before an alert, in whole units of the billing account's currency. A budget stops nothing."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.monthly_budget >= 1 && floor(var.monthly_budget) == var.monthly_budget
    error_message = "A budget is a whole number from 1 on."
  }
}

variable "bucket" {
  description = "The name of the bucket for archive, state and templates. Null names it PROJECT-heavy-rotation."
  type        = string
  default     = null

  validation {
    condition     = var.bucket == null || can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, hyphens and underscores."
  }
}

variable "dataset" {
  description = "The BigQuery dataset of the tables and views."
  type        = string
  default     = "heavy_rotation"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_]*$", var.dataset))
    error_message = "A dataset's name has letters, digits and underscores."
  }
}

variable "raw_plays" {
  description = "Whether there is the external table raw_plays over the archive. BigQuery reads its columns from a file, so the archive must have one."
  type        = bool
  default     = false
  nullable    = false
}

variable "noncurrent_days" {
  description = "How long the bucket keeps what was deleted or replaced: so long can a mistake be taken back. What `forget` removes does not wait for that."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 7 && var.noncurrent_days <= 90
    error_message = "Keep what was replaced for 7 to 90 days."
  }
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete tables, and a bucket that is not empty. To tear everything down, apply false first."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_name" {
  description = "A Cloud KMS key in the region, projects/P/locations/L/keyRings/R/cryptoKeys/K, for all that is stored. Null leaves keys to Google. Secrets that `login` makes keep Google's keys."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_name == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key_name))
    error_message = "Name the key as projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "rebuild_memory" {
  description = "The memory of a rebuild, which holds the months that it makes: 1Gi is for a hundred thousand of their plays, 2Gi for half a million."
  type        = string
  default     = "1Gi"
  nullable    = false

  validation {
    condition     = contains(["1Gi", "2Gi", "4Gi"], var.rebuild_memory)
    error_message = "One vCPU goes with 1Gi, 2Gi or 4Gi; beyond that launch the rebuild on Dataflow."
  }
}

variable "renamed_steps" {
  description = "Size stream: steps that have another name in this version than in the one that runs, { \"Old name\" = \"New name\" }, for the one apply that replaces it."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for old, new in var.renamed_steps : old != new])
    error_message = "A step that keeps its name is not renamed."
  }
}

variable "bigquery_write_method" {
  description = "Size stream: how rows reach BigQuery, as the stream's option of that name. A rebuild always loads files, which costs nothing."
  type        = string
  default     = "STREAMING_INSERTS"
  nullable    = false

  validation {
    condition     = contains(["STREAMING_INSERTS", "FILE_LOADS"], var.bigquery_write_method)
    error_message = "A template's job writes by STREAMING_INSERTS or FILE_LOADS; STORAGE_WRITE_API needs Java where it is launched."
  }
}

variable "watch" {
  description = "Whether a daily job asks Spotify about the playlists and artists that `heavy-rotation watch add` named. Update the stream before it: an older one rejects what it publishes."
  type        = bool
  default     = false
  nullable    = false
}

variable "contact" {
  description = "An e-mail address or a page that MusicBrainz, ListenBrainz and the Cover Art Archive are told, who want to know who asks: with it a daily job asks them, and Spotify, about what was heard. Null makes none."
  type        = string
  default     = null

  validation {
    condition     = var.contact == null || can(regex("^([^@\\s:]+@[^@\\s:]+\\.[^@\\s:]+|https://\\S+)$", var.contact))
    error_message = "Write it as me@example.com or https://example.com/about."
  }
}

variable "web" {
  description = "Whether the pages are shown, by a Cloud Run service behind Google's Identity-Aware Proxy; templates/build.sh --web makes its image."
  type        = bool
  default     = false
  nullable    = false
}

variable "web_users" {
  description = "Who may see the pages, as IAM writes members: user:me@example.com, group:us@example.com, domain:example.com."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.web_users : can(regex("^(user|group|serviceAccount):[^@\\s:]+@[^@\\s:]+\\.[^@\\s:]+$|^domain:[^@\\s:]+\\.[^@\\s:]+$", member))])
    error_message = "Write each as user:me@example.com, group:us@example.com, serviceAccount:... or domain:example.com; the pages are for nobody else."
  }
}

variable "recap_bucket" {
  description = "The name of a bucket of its own for recaps that `heavy-rotation recap --publish` puts under names that cannot be guessed: everybody may read them, nobody may list them. Null makes none."
  type        = string
  default     = null

  validation {
    condition     = var.recap_bucket == null || can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.recap_bucket))
    error_message = "A bucket's name has 3 to 63 lower-case letters, digits, hyphens and underscores."
  }

  validation {
    condition     = var.recap_bucket != coalesce(var.bucket, "${var.project_id}-heavy-rotation")
    error_message = "That is the bucket of the archive, which nobody else may read: recaps need one of their own."
  }
}
