# For secrets of the rotator cloud-sql: who rotates sets passwords through the Admin API of these projects. A role is one of the project of the instances, and
# its id holds the project of the functions: another deployment may name the same instances.
resource "google_project_iam_custom_role" "cloud_sql" {
  for_each = toset(var.cloud_sql_projects)
  project  = each.value
  role_id  = "${var.role_prefix}CloudSql_${replace(var.project_id, "/[^A-Za-z0-9_.]/", "_")}"
  title    = "Keyturn: set passwords of users of Cloud SQL"
  permissions = [
    "cloudsql.instances.get",
    "cloudsql.users.get",
    "cloudsql.users.update",
  ]
  depends_on = [google_project_service.apis]
}

# On the project, because the platform grants the permissions of Cloud SQL on nothing narrower: with them, passwords of all users of all instances there
# can be set. Name a project here that has no other instances, or rotate its users by a login.
resource "google_project_iam_member" "rotate_cloud_sql" {
  for_each = toset(var.cloud_sql_projects)
  project  = each.value
  role     = google_project_iam_custom_role.cloud_sql[each.value].id
  member   = google_service_account.rotate.member
}

# On the project, too.
resource "google_project_iam_member" "work_cloud_sql" {
  for_each = toset(var.cloud_sql_projects)
  project  = each.value
  role     = google_project_iam_custom_role.cloud_sql[each.value].id
  member   = google_service_account.work.member
}

# On the project, too.
resource "google_project_iam_member" "invoke_cloud_sql" {
  for_each = toset(var.cloud_sql_projects)
  project  = each.value
  role     = google_project_iam_custom_role.cloud_sql[each.value].id
  member   = google_service_account.invoke.member
}
