# A hold passes by itself, or a consumer has to be corrected. Waiting for a window is no hold.
resource "google_monitoring_alert_policy" "held" {
  project               = var.project_id
  display_name          = "${var.prefix}: rotations are held"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  # The metrics have points only while something is wrong.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "looks see a rotation that is held"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.held.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "${var.held_hours * 3600}s"

      aggregations {
        alignment_period     = local.two_looks
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The lines `held` of the sweep name the secrets and what holds them: a freeze, or a consumer that has not followed yet."
  }
}

resource "google_monitoring_alert_policy" "unreadable" {
  project               = var.project_id
  display_name          = "${var.prefix}: a secret cannot be looked at"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  # The metrics have points only while something is wrong.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "looks fail for some secret"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.unreadable.name}\""
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
    content   = "The lines `look_failed` of the sweep name the secrets and the errors. A secret that nobody can look at is not rotated."
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.project_id
  display_name          = "${var.prefix}: dead letters"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  # The metrics have points only while something is wrong.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "a message that nobody can read"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.dead_letters.name}\""
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

  # What Pub/Sub moved there by itself, after ten attempts: no function prints a line about that.
  conditions {
    display_name = "messages wait in the dead letters"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.dead_letters.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Pull from the subscription of the dead letters: who sends to the topic or to the queue, and is not Keyturn?"
  }
}

# Neither condition can hold before a first look has ended: after the first apply, see that one has.
resource "google_monitoring_alert_policy" "silent" {
  project               = var.project_id
  display_name          = "${var.prefix}: the sweep is silent"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.notification_channels

  # The metrics have points only while something is wrong.
  alert_strategy {
    auto_close = "1800s"
  }

  conditions {
    display_name = "no look has ended"

    condition_absent {
      filter   = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.looked.name}\""
      duration = local.silence

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  # The same where the platform writes zeros.
  conditions {
    display_name = "no look has ended for three looks"

    condition_threshold {
      filter          = "resource.type = \"cloud_run_revision\" AND metric.type = \"logging.googleapis.com/user/${google_logging_metric.looked.name}\""
      comparison      = "COMPARISON_LT"
      threshold_value = 1
      duration        = "0s"

      aggregations {
        alignment_period     = local.silence
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "No look came to the end of the listing. See the job in Cloud Scheduler and the lines `step_failed` of the sweep. Nothing that is due is started meanwhile, except by notices."
  }
}
