# What the functions may do with each secret of var.secrets, and with its staging place, NAME--pending. The module makes neither of them: keyturn adopt
# (put for a companion) makes the place, and its bindings go with it. Apply again after keyturn release and adopt.
locals {
  global   = { for name, one in var.secrets : name => one if one.location == null }
  regional = { for name, one in var.secrets : name => one if one.location != null }
}

resource "google_secret_manager_secret_iam_member" "rotate_secret" {
  for_each  = local.global
  project   = var.project_id
  secret_id = each.key
  role      = google_project_iam_custom_role.publish.id
  member    = google_service_account.rotate.member
}

resource "google_secret_manager_secret_iam_member" "rotate_place" {
  for_each  = local.global
  project   = var.project_id
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.secret.id
  member    = google_service_account.rotate.member
}

resource "google_secret_manager_secret_iam_member" "sweep_secret" {
  for_each  = local.global
  project   = var.project_id
  secret_id = each.key
  role      = google_project_iam_custom_role.look.id
  member    = google_service_account.sweep.member
}

resource "google_secret_manager_secret_iam_member" "sweep_place" {
  for_each  = local.global
  project   = var.project_id
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.look.id
  member    = google_service_account.sweep.member
}

resource "google_secret_manager_secret_iam_member" "work_secret" {
  for_each  = local.global
  project   = var.project_id
  secret_id = each.key
  role      = each.value.destroys_later ? google_project_iam_custom_role.secret_destroys_later.id : google_project_iam_custom_role.secret.id
  member    = google_service_account.work.member
}

resource "google_secret_manager_secret_iam_member" "work_place" {
  for_each  = local.global
  project   = var.project_id
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.place.id
  member    = google_service_account.work.member
}

resource "google_secret_manager_secret_iam_member" "invoke_secret" {
  for_each  = local.global
  project   = var.project_id
  secret_id = each.key
  role      = each.value.destroys_later ? google_project_iam_custom_role.secret_destroys_later.id : google_project_iam_custom_role.secret.id
  member    = google_service_account.invoke.member
}

resource "google_secret_manager_secret_iam_member" "invoke_place" {
  for_each  = local.global
  project   = var.project_id
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.place.id
  member    = google_service_account.invoke.member
}

# On the project, where the platform asks for it: a listing has names, labels and annotations of all secrets, and no value.
resource "google_project_iam_member" "sweep_list" {
  project = var.project_id
  role    = google_project_iam_custom_role.list.id
  member  = google_service_account.sweep.member
}
