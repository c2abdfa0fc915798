resource "google_cloudfunctions2_function" "invoke" {
  project     = var.project_id
  location    = var.region
  name        = "${var.prefix}-invoke"
  description = "Does what a person or a pipeline asks of one secret"

  build_config {
    runtime         = "nodejs22"
    entry_point     = "invoke"
    service_account = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.archives.name
        object = google_storage_bucket_object.archive["invoke"].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.invoke.email
    environment_variables            = merge(local.shared, { KEYTURN_SERVICE = "${local.services}/${var.prefix}-invoke" })
    ingress_settings                 = var.invoke_ingress
    timeout_seconds                  = 900
    available_memory                 = var.memory
    max_instance_count               = var.max_instances
    max_instance_request_concurrency = 1
    vpc_connector                    = var.vpc_connector
    vpc_connector_egress_settings    = var.vpc_connector == null ? null : var.vpc_egress
  }

  depends_on = [google_project_iam_member.builder]
}

resource "google_cloud_run_v2_service_iam_member" "invoke_own_service" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.invoke.name
  role     = google_project_iam_custom_role.own_service.id
  member   = google_service_account.invoke.member
}

# People and pipelines, each by name.
resource "google_cloud_run_v2_service_iam_member" "invoke_caller" {
  for_each = toset(var.invokers)
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.invoke.name
  role     = "roles/run.invoker"
  member   = each.value
}
