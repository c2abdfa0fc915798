# Values that are only read. The predefined role has versions.access and two permissions that mean nothing on a secret; a custom role would not do,
# because such a secret may be in another project.
locals {
  administrators = toset([for one in values(var.secrets) : one.administrator if one.administrator != null])
}

resource "google_secret_manager_secret_iam_member" "rotate_administrator" {
  for_each  = local.administrators
  project   = split("/", each.value)[1]
  secret_id = split("/", each.value)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.rotate.member
}

resource "google_secret_manager_secret_iam_member" "work_administrator" {
  for_each  = local.administrators
  project   = split("/", each.value)[1]
  secret_id = split("/", each.value)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.work.member
}

resource "google_secret_manager_secret_iam_member" "invoke_administrator" {
  for_each  = local.administrators
  project   = split("/", each.value)[1]
  secret_id = split("/", each.value)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.invoke.member
}

resource "google_secret_manager_secret_iam_member" "rotate_configuration" {
  count     = var.configuration == null ? 0 : 1
  project   = split("/", var.configuration)[1]
  secret_id = split("/", var.configuration)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.rotate.member
}

resource "google_secret_manager_secret_iam_member" "sweep_configuration" {
  count     = var.configuration == null ? 0 : 1
  project   = split("/", var.configuration)[1]
  secret_id = split("/", var.configuration)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.sweep.member
}

resource "google_secret_manager_secret_iam_member" "work_configuration" {
  count     = var.configuration == null ? 0 : 1
  project   = split("/", var.configuration)[1]
  secret_id = split("/", var.configuration)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.work.member
}

resource "google_secret_manager_secret_iam_member" "invoke_configuration" {
  count     = var.configuration == null ? 0 : 1
  project   = split("/", var.configuration)[1]
  secret_id = split("/", var.configuration)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.invoke.member
}

# The only secret that jwks may read.
resource "google_secret_manager_secret_iam_member" "jwks_set" {
  count     = var.public_set == null ? 0 : 1
  project   = split("/", var.public_set)[1]
  secret_id = split("/", var.public_set)[3]
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.jwks[0].member
}
