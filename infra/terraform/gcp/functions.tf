locals {
  # The URL that the platform gives a service of this name. The address that it shows is known only when the function is there, and work sends to itself.
  work_url = "https://${var.prefix}-work-${data.google_project.this.number}.${var.region}.run.app"

  shared = merge(
    var.environment,
    { GOOGLE_CLOUD_PROJECT = var.project_id },
    var.configuration == null ? {} : { KEYTURN_CONFIG = "gcp:${var.configuration}" },
    length(var.locations) == 0 ? {} : { KEYTURN_GCP_LOCATIONS = join(" ", var.locations) },
  )
  sending = {
    KEYTURN_QUEUE        = google_cloud_tasks_queue.work.id
    KEYTURN_WORK_URL     = local.work_url
    KEYTURN_WORK_ACCOUNT = google_service_account.tasks.email
  }
  dead_letters = {
    KEYTURN_DEAD_LETTERS = google_pubsub_topic.dead_letters.id
  }
  # The service under each function, which looks up who may call it.
  services = "projects/${var.project_id}/locations/${var.region}/services"
}

# An instance has one call at a time: a rotation holds a lease, and its memory has a value. The time limit of rotate fits into the acknowledgement
# deadline of its subscription, that of work into the dispatch deadline of a task, and that of sweep into the attempt of the job.
resource "google_cloudfunctions2_function" "rotate" {
  project     = var.project_id
  location    = var.region
  name        = "${var.prefix}-rotate"
  description = "Takes what the topic of the secrets says"

  build_config {
    runtime         = "nodejs22"
    entry_point     = "rotate"
    service_account = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.archives.name
        object = google_storage_bucket_object.archive["rotate"].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.rotate.email
    environment_variables            = merge(local.shared, local.sending, local.dead_letters, { KEYTURN_SERVICE = "${local.services}/${var.prefix}-rotate" })
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    timeout_seconds                  = 540
    available_memory                 = var.memory
    max_instance_count               = var.rate.at_once # a notice logs in, too
    max_instance_request_concurrency = 1
    vpc_connector                    = var.vpc_connector
    vpc_connector_egress_settings    = var.vpc_connector == null ? null : var.vpc_egress
  }

  depends_on = [google_project_iam_member.builder]
}

resource "google_cloudfunctions2_function" "sweep" {
  project     = var.project_id
  location    = var.region
  name        = "${var.prefix}-sweep"
  description = "Looks at all secrets, and sends what is due to the queue"

  build_config {
    runtime         = "nodejs22"
    entry_point     = "sweep"
    service_account = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.archives.name
        object = google_storage_bucket_object.archive["sweep"].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.sweep.email
    environment_variables            = merge(local.shared, local.sending, { KEYTURN_SERVICE = "${local.services}/${var.prefix}-sweep" })
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    timeout_seconds                  = 1800
    available_memory                 = var.memory
    max_instance_count               = 2
    max_instance_request_concurrency = 1
  }

  depends_on = [google_project_iam_member.builder]
}

resource "google_cloudfunctions2_function" "work" {
  project     = var.project_id
  location    = var.region
  name        = "${var.prefix}-work"
  description = "Does one piece of work of the queue"

  build_config {
    runtime         = "nodejs22"
    entry_point     = "work"
    service_account = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.archives.name
        object = google_storage_bucket_object.archive["work"].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.work.email
    environment_variables            = merge(local.shared, local.sending, local.dead_letters, { KEYTURN_SERVICE = "${local.services}/${var.prefix}-work" })
    ingress_settings                 = "ALLOW_INTERNAL_ONLY"
    timeout_seconds                  = 900
    available_memory                 = var.memory
    max_instance_count               = var.rate.at_once
    max_instance_request_concurrency = 1
    vpc_connector                    = var.vpc_connector
    vpc_connector_egress_settings    = var.vpc_connector == null ? null : var.vpc_egress
  }

  depends_on = [google_project_iam_member.builder]
}

# A function refuses to run where everybody may call it, and looks up who may.
resource "google_cloud_run_v2_service_iam_member" "rotate_own_service" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.rotate.name
  role     = google_project_iam_custom_role.own_service.id
  member   = google_service_account.rotate.member
}

resource "google_cloud_run_v2_service_iam_member" "sweep_own_service" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.sweep.name
  role     = google_project_iam_custom_role.own_service.id
  member   = google_service_account.sweep.member
}

resource "google_cloud_run_v2_service_iam_member" "work_own_service" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.work.name
  role     = google_project_iam_custom_role.own_service.id
  member   = google_service_account.work.member
}
