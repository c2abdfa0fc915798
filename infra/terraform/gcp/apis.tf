# The number of the project is in the names of its service agents, and in the URL of a function.
data "google_project" "this" {
  project_id = var.project_id
}

# The APIs stay enabled when this module goes: others may use them.
resource "google_project_service" "apis" {
  for_each = toset(concat(length(var.cloud_sql_projects) == 0 ? [] : ["sqladmin.googleapis.com"], [
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "cloudtasks.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ]))

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false
}
