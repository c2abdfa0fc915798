locals {
  # Two looks, and at least five minutes: one look may be late.
  two_looks = "${max(300, 120 * var.look_minutes)}s"
  # Three looks, and at least fifteen minutes.
  silence = "${max(900, 180 * var.look_minutes)}s"
}

# What is due is not overdue before a working sweep would have started it, so that this means: somebody has to look.
resource "google_monitoring_alert_policy" "overdue" {
  project               = var.project_id
  display_name          = "${var.prefix}: a rotation is overdue"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  # The metrics have points only while something is wrong.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "looks see an overdue rotation"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.overdue.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = local.two_looks

      aggregations {
        alignment_period     = local.two_looks
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The lines `overdue` of the sweep name the secrets, for how long they have been due, and what holds them. `keyturn status gcp:NAME` says more."
  }
}

# A person has to decide. Nothing of such a secret goes on by itself.
resource "google_monitoring_alert_policy" "stuck" {
  project               = var.project_id
  display_name          = "${var.prefix}: a secret is stuck"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.notification_channels

  # The metrics have points only while something is wrong.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "a look sees a stuck secret"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.stuck.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = local.two_looks
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The lines `stuck` of the sweep name the secrets and their codes. `keyturn recover gcp:NAME` says the one safe thing to do."
  }
}
