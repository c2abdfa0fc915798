# A database login that Terraform owns, rotated by Keyturn. Apply in this order: the secret and its first version; keyturn adopt gcp:db; then the rest.
terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 7.0, < 8.0"
    }
  }
}

variable "project_id" {
  type        = string
  description = "The project"
}

variable "first_notice" {
  type        = string
  description = "When the platform first says that db is due, such as 2030-01-31T04:00:00Z; Keyturn moves it"
}

module "keyturn" {
  source     = "../.."
  project_id = var.project_id
  region     = "europe-west3"
  archives   = "${path.module}/../../../../../dist/functions/gcp"
  invokers   = ["group:operations@example.com"]

  secrets = {
    db = { administrator = "projects/${var.project_id}/secrets/pg-admin" }
  }
}

# Its values are not here: the first version is added by hand or by keyturn put, and the others by Keyturn.
resource "google_secret_manager_secret" "db" {
  project   = var.project_id
  secret_id = "db"

  replication {
    auto {}
  }

  # The topic is Terraform's. Keyturn never sets one.
  topics {
    name = module.keyturn.topic
  }

  # The same period as keyturn-every, which decides; the platform only sends a notice.
  rotation {
    rotation_period    = "2592000s"
    next_rotation_time = var.first_notice
  }

  lifecycle {
    ignore_changes = [
      annotations,     # the policy (keyturn-*), and keyturn_notice, which says which schedule Keyturn wrote
      rotation,        # keyturn adopt and keyturn policy write it from keyturn-every; each notice moves next_rotation_time
      version_aliases, # current and previous move with each rotation
    ]
  }
}
