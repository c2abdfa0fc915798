resource "google_cloud_scheduler_job" "sweep" {
  project          = var.project_id
  region           = var.region
  name             = "${var.prefix}-sweep"
  description      = "Looks at all secrets. A look may take longer than the time to the next one: two at once do no harm"
  schedule         = var.look_minutes == 60 ? "0 * * * *" : "*/${var.look_minutes} * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "1800s"

  # The next look is the repetition.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.sweep.service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = google_cloudfunctions2_function.sweep.service_config[0].uri
    }
  }
}

resource "google_cloud_run_v2_service_iam_member" "sweep_caller" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.sweep.name
  role     = "roles/run.invoker"
  member   = google_service_account.scheduler.member
}
