# The same as in secrets.tf for the secrets of a region, which are another kind of resource.
resource "google_secret_manager_regional_secret_iam_member" "rotate_secret" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = each.key
  role      = google_project_iam_custom_role.publish.id
  member    = google_service_account.rotate.member
}

resource "google_secret_manager_regional_secret_iam_member" "rotate_place" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.secret.id
  member    = google_service_account.rotate.member
}

resource "google_secret_manager_regional_secret_iam_member" "sweep_secret" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = each.key
  role      = google_project_iam_custom_role.look.id
  member    = google_service_account.sweep.member
}

resource "google_secret_manager_regional_secret_iam_member" "sweep_place" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.look.id
  member    = google_service_account.sweep.member
}

resource "google_secret_manager_regional_secret_iam_member" "work_secret" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = each.key
  role      = each.value.destroys_later ? google_project_iam_custom_role.secret_destroys_later.id : google_project_iam_custom_role.secret.id
  member    = google_service_account.work.member
}

resource "google_secret_manager_regional_secret_iam_member" "work_place" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.place.id
  member    = google_service_account.work.member
}

resource "google_secret_manager_regional_secret_iam_member" "invoke_secret" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = each.key
  role      = each.value.destroys_later ? google_project_iam_custom_role.secret_destroys_later.id : google_project_iam_custom_role.secret.id
  member    = google_service_account.invoke.member
}

resource "google_secret_manager_regional_secret_iam_member" "invoke_place" {
  for_each  = local.regional
  project   = var.project_id
  location  = each.value.location
  secret_id = "${each.key}--pending"
  role      = google_project_iam_custom_role.place.id
  member    = google_service_account.invoke.member
}
