variable "project_id" {
  type        = string
  description = "The project that has the functions, and the secrets that they rotate"
}

variable "region" {
  type        = string
  description = "Where the functions, the queue and the job are, such as europe-west3"
}

variable "archives" {
  type        = string
  description = "The folder with the archives that npm run package:gcp builds (dist/functions/gcp)"
}

variable "prefix" {
  type        = string
  default     = "keyturn"
  description = "How the name of everything begins that this module makes; at most 20 characters"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.prefix))
    error_message = "The prefix has 4 to 20 of a-z, 0-9 and -, and begins with a letter: an account's name has at most 30 characters."
  }
}

variable "role_prefix" {
  type        = string
  default     = "keyturnFunction"
  description = "How the id of each custom role begins; keyturn permissions prints roles of other names, so that both can be in one project"
}

variable "secrets" {
  type = map(object({
    location       = optional(string)
    destroys_later = optional(bool, false)
    administrator  = optional(string)
  }))
  default     = {}
  description = "The secrets that keyturn adopt was run for, by their ids, and the companions that keyturn put made: location of a regional one, destroys_later where it has version_destroy_ttl, administrator as projects/PROJECT/secrets/NAME where keyturn-admin names one"

  validation {
    condition     = alltrue([for one in values(var.secrets) : one.administrator == null || can(regex("^projects/[^/]+/secrets/[^/]+$", one.administrator))])
    error_message = "An administrator is projects/PROJECT/secrets/NAME."
  }
}

variable "configuration" {
  type        = string
  default     = null
  description = "The configuration secret, as projects/PROJECT/secrets/NAME (KEYTURN_CONFIG)"

  validation {
    condition     = var.configuration == null || can(regex("^projects/[^/]+/secrets/[^/]+$", var.configuration))
    error_message = "The configuration is projects/PROJECT/secrets/NAME."
  }
}

variable "consumer_topics" {
  type        = list(string)
  default     = []
  description = "Topics of consumers of kind pubsub, as projects/PROJECT/topics/TOPIC"

  validation {
    condition     = alltrue([for one in var.consumer_topics : can(regex("^projects/[^/]+/topics/[^/]+$", one))])
    error_message = "A topic is projects/PROJECT/topics/TOPIC."
  }
}

variable "cloud_sql_projects" {
  type        = list(string)
  default     = []
  description = "Projects whose instances of Cloud SQL have users that the rotator cloud-sql rotates; the functions may then set the password of every user there"

  validation {
    condition     = alltrue([for one in var.cloud_sql_projects : can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]+$", one))])
    error_message = "A project is its id."
  }
}

variable "public_set" {
  type        = string
  default     = null
  description = "The secret with the public set that jwks serves to everybody, as projects/PROJECT/secrets/NAME (KEYTURN_JWKS); without it there is no function jwks"

  validation {
    condition     = var.public_set == null || can(regex("^projects/[^/]+/secrets/[^/]+$", var.public_set))
    error_message = "The public set is projects/PROJECT/secrets/NAME."
  }
}

variable "locations" {
  type        = list(string)
  default     = []
  description = "Locations whose regional secrets are looked at, too (KEYTURN_GCP_LOCATIONS)"
}

variable "environment" {
  type        = map(string)
  default     = {}
  description = "More variables of rotate, sweep, work and invoke, such as KEYTURN_POLICY_GRACE; no value of a secret belongs here"
}

variable "invokers" {
  type        = list(string)
  default     = []
  description = "Who may call invoke, such as user:ann@example.com or serviceAccount:ci@PROJECT.iam.gserviceaccount.com"

  validation {
    condition     = alltrue([for one in var.invokers : !contains(["allUsers", "allAuthenticatedUsers"], one)])
    error_message = "The function invoke refuses to run where everybody may call it."
  }
}

variable "invoke_ingress" {
  type        = string
  default     = "ALLOW_ALL"
  description = "From which networks invoke can be reached: ALLOW_ALL, ALLOW_INTERNAL_ONLY or ALLOW_INTERNAL_AND_GCLB; a token is needed from all of them"
}

variable "look_minutes" {
  type        = number
  default     = 5
  description = "How many minutes are between two looks at the fleet; a divisor of 60"

  validation {
    condition     = contains([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60], var.look_minutes)
    error_message = "The minutes are one of 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 and 60."
  }
}

variable "rate" {
  type = object({
    per_second = optional(number, 2)
    at_once    = optional(number, 5)
  })
  default     = {}
  description = "How many pieces of work the queue begins in a second (2), and how many run at once (5): each may log in to a database"
}

variable "max_instances" {
  type        = number
  default     = 10
  description = "How many instances rotate, invoke and jwks may each have"
}

variable "memory" {
  type        = string
  default     = "512Mi"
  description = "The memory of an instance"
}

variable "vpc_connector" {
  type        = string
  default     = null
  description = "The id of a connector through which rotate, work and invoke reach private databases"
}

variable "vpc_egress" {
  type        = string
  default     = "PRIVATE_RANGES_ONLY"
  description = "What goes through the connector: PRIVATE_RANGES_ONLY or ALL_TRAFFIC"
}

variable "notification_channels" {
  type        = list(string)
  default     = []
  description = "Who is told by an alert: ids of notification channels"
}

variable "held_hours" {
  type        = number
  default     = 6
  description = "For how many hours without a pause rotations may be held before an alert, 1 to 23; a longer freeze alerts, too"

  validation {
    condition     = var.held_hours >= 1 && var.held_hours <= 23
    error_message = "The hours are 1 to 23."
  }
}
