# One account for each function. None of them has a key.
resource "google_service_account" "rotate" {
  project      = var.project_id
  account_id   = "${var.prefix}-rotate"
  display_name = "Keyturn: rotate"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "sweep" {
  project      = var.project_id
  account_id   = "${var.prefix}-sweep"
  display_name = "Keyturn: sweep"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "work" {
  project      = var.project_id
  account_id   = "${var.prefix}-work"
  display_name = "Keyturn: work"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "invoke" {
  project      = var.project_id
  account_id   = "${var.prefix}-invoke"
  display_name = "Keyturn: invoke"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "jwks" {
  count        = var.public_set == null ? 0 : 1
  project      = var.project_id
  account_id   = "${var.prefix}-jwks"
  display_name = "Keyturn: jwks"
  depends_on   = [google_project_service.apis]
}

# Who calls. Each may call one function and has no other right.
resource "google_service_account" "events" {
  project      = var.project_id
  account_id   = "${var.prefix}-events"
  display_name = "Keyturn: calls rotate with what the topic has"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "scheduler" {
  project      = var.project_id
  account_id   = "${var.prefix}-scheduler"
  display_name = "Keyturn: calls sweep"
  depends_on   = [google_project_service.apis]
}

resource "google_service_account" "tasks" {
  project      = var.project_id
  account_id   = "${var.prefix}-tasks"
  display_name = "Keyturn: calls work with the tasks of the queue"
  depends_on   = [google_project_service.apis]
}

# Builds the functions from their archives, so that the default account of the project needs no rights.
resource "google_service_account" "builder" {
  project      = var.project_id
  account_id   = "${var.prefix}-builder"
  display_name = "Keyturn: builds the functions"
  depends_on   = [google_project_service.apis]
}

# On the project: the platform makes the bucket and the repository of a build by itself, and only then have they names.
resource "google_project_iam_member" "builder" {
  for_each = toset(["roles/artifactregistry.writer", "roles/logging.logWriter", "roles/storage.objectViewer"])
  project  = var.project_id
  role     = each.value
  member   = google_service_account.builder.member
}
