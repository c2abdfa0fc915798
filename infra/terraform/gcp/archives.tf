# The archives of npm run package:gcp. They have no secret in them, and are made again from the sources.
locals {
  functions = concat(["rotate", "sweep", "work", "invoke"], var.public_set == null ? [] : ["jwks"])
}

resource "google_storage_bucket" "archives" {
  project                     = var.project_id
  name                        = "${var.project_id}-${var.prefix}-functions"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = true
  depends_on                  = [google_project_service.apis]
}

# Another archive has another name, so that its function is built again.
resource "google_storage_bucket_object" "archive" {
  for_each = toset(local.functions)
  bucket   = google_storage_bucket.archives.name
  name     = "${each.value}-${filemd5("${var.archives}/${each.value}.zip")}.zip"
  source   = "${var.archives}/${each.value}.zip"
}
