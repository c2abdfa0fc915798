variable "location" {
  type        = string
  description = "Where everything is that this module makes, such as westeurope"
}

variable "archive" {
  type        = string
  description = "The archive that npm run package:azure builds (dist/functions/azure/app.zip). The provider deploys again only where this path changes: give each build a name of its own"
}

variable "prefix" {
  type        = string
  description = "How the name of everything begins that this module makes, 4 to 16 characters. The names of apps, vaults and storage accounts are unique in the world"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){3,15}$", var.prefix)) && length(var.prefix) <= 16
    error_message = "The prefix has 4 to 16 of a-z, 0-9 and single -, begins with a letter and does not end with -: a vault's name has at most 24 characters."
  }
}

variable "vaults" {
  type = map(object({
    id       = string
    location = string
    secrets  = optional(list(string))
  }))
  default     = {}
  description = "The vaults whose secrets are rotated, by their names: resource id, location, and the names of the secrets if only those are granted. Without names, all secrets of the vault are. Such a secret was adopted before, or made by keyturn put"

  validation {
    condition     = alltrue([for name, one in var.vaults : can(regex("^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.KeyVault/vaults/${name}$", one.id))])
    error_message = "A vault is its resource id, /subscriptions/S/resourceGroups/R/providers/Microsoft.KeyVault/vaults/NAME, under the same NAME."
  }
}

variable "administrators" {
  type        = list(string)
  default     = []
  description = "Secrets that keyturn-admin names, as resource ids .../vaults/VAULT/secrets/NAME"

  validation {
    condition     = alltrue([for one in var.administrators : can(regex("/vaults/[^/]+/secrets/[^/]+$", one))])
    error_message = "An administrator is the resource id of a secret, .../vaults/VAULT/secrets/NAME."
  }
}

variable "configuration" {
  type        = string
  default     = null
  description = "The configuration secret, as resource id .../vaults/VAULT/secrets/NAME (KEYTURN_CONFIG)"

  validation {
    condition     = var.configuration == null || can(regex("/vaults/[^/]+/secrets/[^/]+$", var.configuration))
    error_message = "The configuration is the resource id of a secret, .../vaults/VAULT/secrets/NAME."
  }
}

variable "consumer_topics" {
  type        = list(string)
  default     = []
  description = "Topics of consumers of kind event-grid, as resource ids .../providers/Microsoft.EventGrid/topics/TOPIC"

  validation {
    condition     = alltrue([for one in var.consumer_topics : can(regex("/providers/Microsoft\\.EventGrid/topics/[^/]+$", one))])
    error_message = "A topic is its resource id, .../providers/Microsoft.EventGrid/topics/TOPIC."
  }
}

variable "flexible_servers" {
  type        = list(string)
  default     = []
  description = "Flexible servers whose administrator the rotator azure-flexible-server rotates, as resource ids; the functions may then change everything about them, as the platform has no narrower action"

  validation {
    condition     = alltrue([for one in var.flexible_servers : can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.DBfor(PostgreSQL|MySQL)/flexibleServers/[^/]+$", one))])
    error_message = "A server is its resource id, /subscriptions/S/resourceGroups/R/providers/Microsoft.DBforPostgreSQL/flexibleServers/NAME."
  }
}

variable "public_set" {
  type        = string
  default     = null
  description = "The secret with the public set that jwks serves to everybody, as resource id .../vaults/VAULT/secrets/NAME (KEYTURN_JWKS); without it there is no second app"

  validation {
    condition     = var.public_set == null || can(regex("/vaults/[^/]+/secrets/[^/]+$", var.public_set))
    error_message = "The public set is the resource id of a secret, .../vaults/VAULT/secrets/NAME."
  }
}

variable "environment" {
  type        = map(string)
  default     = {}
  description = "More settings of the fleet, such as KEYTURN_POLICY_GRACE; no value of a secret belongs here"
}

variable "entra_application" {
  type        = string
  default     = null
  description = "The client id of an application of Entra whose tokens invoke takes; without it, a key of the function is needed"
}

variable "invokers" {
  type        = list(string)
  default     = []
  description = "Who may call invoke with a token of entra_application: object ids of users, workloads or managed identities"

  validation {
    condition     = alltrue([for one in var.invokers : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", one))])
    error_message = "An invoker is an object id, in lower case."
  }
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

variable "timeout_minutes" {
  type        = number
  default     = 10
  description = "How long a call may run, 10 to 60: a look at very many secrets takes longer"

  validation {
    condition     = var.timeout_minutes >= 10 && var.timeout_minutes <= 60
    error_message = "The minutes are 10 to 60."
  }
}

variable "max_instances" {
  type        = number
  default     = 40
  description = "How many instances an app may have, 40 to 1000. Each does up to 12 pieces of work at once, and each piece may log in to a database"

  validation {
    condition     = var.max_instances >= 40 && var.max_instances <= 1000
    error_message = "The platform takes 40 to 1000 instances."
  }
}

variable "memory" {
  type        = number
  default     = 2048
  description = "The memory of an instance in MB: 2048 or 4096"
}

variable "replication" {
  type        = string
  default     = "ZRS"
  description = "How the storage accounts are replicated: ZRS, or LRS in a region without zones"
}

variable "subnet_id" {
  type        = string
  default     = null
  description = "The subnet through which the fleet reaches private databases, delegated to Microsoft.App/environments; with firewall, it has the service endpoints Microsoft.Storage and Microsoft.KeyVault"
}

variable "firewall" {
  type        = bool
  default     = false
  description = "Whether the storage account, the staging vault and the functions of the fleet take calls from subnet_id, addresses and Event Grid alone"
}

variable "addresses" {
  type        = list(string)
  default     = []
  description = "IPv4 ranges from which people and pipelines come, where firewall is true, such as 203.0.113.0/24"
}

variable "action_groups" {
  type        = list(string)
  default     = []
  description = "Who is told by an alert: ids of action groups"
}

variable "held_hours" {
  type        = number
  default     = 6
  description = "For how many hours without a pause rotations may be held before an alert: 1, 2, 3, 4, 5, 6, 24 or 48; a longer freeze alerts, too"

  validation {
    condition     = contains([1, 2, 3, 4, 5, 6, 24, 48], var.held_hours)
    error_message = "The hours are one of 1, 2, 3, 4, 5, 6, 24 and 48."
  }
}

variable "log_days" {
  type        = number
  default     = 30
  description = "For how many days the lines of the functions are kept, 30 to 730"

  validation {
    condition     = var.log_days >= 30 && var.log_days <= 730
    error_message = "The days are 30 to 730."
  }
}
