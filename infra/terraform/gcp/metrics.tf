# Each filter matches lines that the functions print as JSON. The lines of a filter all have to hold. A look prints one line with all its counters,
# so that the number of secrets makes no difference here.
resource "google_logging_metric" "looked" {
  project     = var.project_id
  name        = "${var.prefix}/looked"
  description = "Keyturn: looks that came to the end of the listing"
  filter      = <<-EOT
    resource.type = "cloud_run_revision"
    resource.labels.service_name = "${google_cloudfunctions2_function.sweep.name}"
    jsonPayload.log = "looked"
    jsonPayload.complete = "true"
  EOT
  depends_on  = [google_project_service.apis]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_logging_metric" "overdue" {
  project     = var.project_id
  name        = "${var.prefix}/overdue"
  description = "Keyturn: looks that saw a rotation that is overdue"
  filter      = <<-EOT
    resource.type = "cloud_run_revision"
    resource.labels.service_name = "${google_cloudfunctions2_function.sweep.name}"
    jsonPayload.log = "looked"
    jsonPayload.overdue > 0
  EOT
  depends_on  = [google_project_service.apis]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_logging_metric" "stuck" {
  project     = var.project_id
  name        = "${var.prefix}/stuck"
  description = "Keyturn: looks that saw a secret that waits for a person"
  filter      = <<-EOT
    resource.type = "cloud_run_revision"
    resource.labels.service_name = "${google_cloudfunctions2_function.sweep.name}"
    jsonPayload.log = "looked"
    jsonPayload.stuck > 0
  EOT
  depends_on  = [google_project_service.apis]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_logging_metric" "held" {
  project     = var.project_id
  name        = "${var.prefix}/held"
  description = "Keyturn: looks that saw a rotation that is due and held"
  filter      = <<-EOT
    resource.type = "cloud_run_revision"
    resource.labels.service_name = "${google_cloudfunctions2_function.sweep.name}"
    jsonPayload.log = "looked"
    jsonPayload.held > 0
  EOT
  depends_on  = [google_project_service.apis]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_logging_metric" "unreadable" {
  project     = var.project_id
  name        = "${var.prefix}/unreadable"
  description = "Keyturn: looks that could not look at some secret"
  filter      = <<-EOT
    resource.type = "cloud_run_revision"
    resource.labels.service_name = "${google_cloudfunctions2_function.sweep.name}"
    jsonPayload.log = "looked"
    jsonPayload.failed > 0
  EOT
  depends_on  = [google_project_service.apis]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}

resource "google_logging_metric" "dead_letters" {
  project     = var.project_id
  name        = "${var.prefix}/dead_letters"
  description = "Keyturn: messages that nobody can read"
  filter      = <<-EOT
    resource.type = "cloud_run_revision"
    resource.labels.service_name = ("${google_cloudfunctions2_function.rotate.name}" OR "${google_cloudfunctions2_function.work.name}")
    jsonPayload.log = "dead_letter"
  EOT
  depends_on  = [google_project_service.apis]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }
}
