# Tasks carry the name of a secret, an action and a time. Each task has the account of its token from the code (KEYTURN_WORK_ACCOUNT).
resource "google_cloud_tasks_queue" "work" {
  project  = var.project_id
  location = var.region
  name     = "${var.prefix}-work"

  rate_limits {
    max_dispatches_per_second = var.rate.per_second
    max_concurrent_dispatches = var.rate.at_once
  }

  # Bounded: what fails for longer is found by a look, which sends it again under another name. The queue ends a task only after both limits.
  retry_config {
    max_attempts       = 10
    max_retry_duration = "3600s"
    min_backoff        = "10s"
    max_backoff        = "600s"
    max_doublings      = 6
  }

  depends_on = [google_project_service.apis]
}

resource "google_cloud_run_v2_service_iam_member" "work_caller" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.work.name
  role     = "roles/run.invoker"
  member   = google_service_account.tasks.member
}

resource "google_cloud_tasks_queue_iam_member" "rotate_send" {
  project  = var.project_id
  location = google_cloud_tasks_queue.work.location
  name     = google_cloud_tasks_queue.work.name
  role     = google_project_iam_custom_role.send.id
  member   = google_service_account.rotate.member
}

resource "google_cloud_tasks_queue_iam_member" "sweep_send" {
  project  = var.project_id
  location = google_cloud_tasks_queue.work.location
  name     = google_cloud_tasks_queue.work.name
  role     = google_project_iam_custom_role.send.id
  member   = google_service_account.sweep.member
}

resource "google_cloud_tasks_queue_iam_member" "work_send" {
  project  = var.project_id
  location = google_cloud_tasks_queue.work.location
  name     = google_cloud_tasks_queue.work.name
  role     = google_project_iam_custom_role.send.id
  member   = google_service_account.work.member
}

# Who sends a task that carries the token of an account must be allowed to act as that account, and as no other.
resource "google_service_account_iam_member" "rotate_act_as" {
  service_account_id = google_service_account.tasks.name
  role               = google_project_iam_custom_role.act_as.id
  member             = google_service_account.rotate.member
}

resource "google_service_account_iam_member" "sweep_act_as" {
  service_account_id = google_service_account.tasks.name
  role               = google_project_iam_custom_role.act_as.id
  member             = google_service_account.sweep.member
}

resource "google_service_account_iam_member" "work_act_as" {
  service_account_id = google_service_account.tasks.name
  role               = google_project_iam_custom_role.act_as.id
  member             = google_service_account.work.member
}
