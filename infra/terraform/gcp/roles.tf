# Custom roles: a predefined one has more than a function needs, and only the administrator's has secretmanager.secrets.update. They are defined
# on the project, because the platform keeps roles nowhere else; what they allow is bound to single resources.
resource "google_project_iam_custom_role" "look" {
  project = var.project_id
  role_id = "${var.role_prefix}Look"
  title   = "Keyturn: look at a secret and at its staging place"
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.versions.list",
    "secretmanager.versions.get",
    "secretmanager.versions.access",
  ]
  depends_on = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "publish" {
  project = var.project_id
  role_id = "${var.role_prefix}Publish"
  title   = "Keyturn: publish a version"
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.versions.list",
    "secretmanager.versions.get",
    "secretmanager.versions.access",
    "secretmanager.secrets.update",
    "secretmanager.versions.add",
  ]
  depends_on = [google_project_service.apis]
}

# Also what retires a version.
resource "google_project_iam_custom_role" "secret" {
  project = var.project_id
  role_id = "${var.role_prefix}Secret"
  title   = "Keyturn: a secret, or a staging place that nothing is destroyed in"
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.versions.list",
    "secretmanager.versions.get",
    "secretmanager.versions.access",
    "secretmanager.secrets.update",
    "secretmanager.versions.add",
    "secretmanager.versions.disable",
  ]
  depends_on = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "secret_destroys_later" {
  project = var.project_id
  role_id = "${var.role_prefix}SecretDestroysLater"
  title   = "Keyturn: a secret with version_destroy_ttl"
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.versions.list",
    "secretmanager.versions.get",
    "secretmanager.versions.access",
    "secretmanager.secrets.update",
    "secretmanager.versions.add",
    "secretmanager.versions.destroy",
  ]
  depends_on = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "place" {
  project = var.project_id
  role_id = "${var.role_prefix}Place"
  title   = "Keyturn: a staging place"
  permissions = [
    "secretmanager.secrets.get",
    "secretmanager.versions.list",
    "secretmanager.versions.get",
    "secretmanager.versions.access",
    "secretmanager.secrets.update",
    "secretmanager.versions.add",
    "secretmanager.versions.disable",
    "secretmanager.versions.destroy",
  ]
  depends_on = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "list" {
  project     = var.project_id
  role_id     = "${var.role_prefix}List"
  title       = "Keyturn: list secrets"
  permissions = ["secretmanager.secrets.list"]
  depends_on  = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "send" {
  project     = var.project_id
  role_id     = "${var.role_prefix}Send"
  title       = "Keyturn: send work to the queue"
  permissions = ["cloudtasks.tasks.create"]
  depends_on  = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "act_as" {
  project     = var.project_id
  role_id     = "${var.role_prefix}ActAs"
  title       = "Keyturn: send work that carries the token of an account"
  permissions = ["iam.serviceAccounts.actAs"]
  depends_on  = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "dead_letters" {
  project     = var.project_id
  role_id     = "${var.role_prefix}DeadLetters"
  title       = "Keyturn: publish to the dead letters"
  permissions = ["pubsub.topics.publish"]
  depends_on  = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "announce" {
  project     = var.project_id
  role_id     = "${var.role_prefix}Announce"
  title       = "Keyturn: publish change events"
  permissions = ["pubsub.topics.publish"]
  depends_on  = [google_project_service.apis]
}

resource "google_project_iam_custom_role" "own_service" {
  project     = var.project_id
  role_id     = "${var.role_prefix}OwnService"
  title       = "Keyturn: see who may call a function"
  permissions = ["run.services.get", "run.services.getIamPolicy"]
  depends_on  = [google_project_service.apis]
}
