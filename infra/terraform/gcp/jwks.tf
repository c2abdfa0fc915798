# The public set, for everybody who checks a token. It is there only where var.public_set names one.
resource "google_cloudfunctions2_function" "jwks" {
  count       = var.public_set == null ? 0 : 1
  project     = var.project_id
  location    = var.region
  name        = "${var.prefix}-jwks"
  description = "Serves the public set"

  build_config {
    runtime         = "nodejs22"
    entry_point     = "jwks"
    service_account = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.archives.name
        object = google_storage_bucket_object.archive["jwks"].name
      }
    }
  }

  service_config {
    service_account_email = google_service_account.jwks[0].email
    environment_variables = {
      GOOGLE_CLOUD_PROJECT = var.project_id
      KEYTURN_JWKS         = "gcp:${var.public_set}"
    }
    ingress_settings   = "ALLOW_ALL"
    timeout_seconds    = 30
    available_memory   = var.memory
    max_instance_count = var.max_instances
  }

  depends_on = [google_project_iam_member.builder]
}

# The one function that is public, on purpose: its account reads the public set and nothing else.
resource "google_cloud_run_v2_service_iam_member" "jwks_caller" {
  count    = var.public_set == null ? 0 : 1
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.jwks[0].name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
