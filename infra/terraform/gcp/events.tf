# Secret Manager publishes here what happens to a secret that names this topic (examples/shop).
resource "google_pubsub_topic" "notices" {
  project    = var.project_id
  name       = "${var.prefix}-notices"
  depends_on = [google_project_service.apis]
}

resource "google_pubsub_topic_iam_member" "secret_manager" {
  project = var.project_id
  topic   = google_pubsub_topic.notices.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
}

# The subscription is our own and not that of an Eventarc trigger: filter, repetitions and dead letters are ours to set. What the functions change
# themselves is published here, too, so that the filter keeps rotate from being called for it.
resource "google_pubsub_subscription" "notices" {
  project                    = var.project_id
  name                       = "${var.prefix}-notices"
  topic                      = google_pubsub_topic.notices.id
  filter                     = "attributes.eventType = \"SECRET_ROTATE\" OR attributes.eventType = \"SECRET_VERSION_ADD\""
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s"

  # The path names the topic: the framework makes an event of a message that is posted to such a path.
  push_config {
    push_endpoint = "${google_cloudfunctions2_function.rotate.service_config[0].uri}/${google_pubsub_topic.notices.id}"

    oidc_token {
      service_account_email = google_service_account.events.email
      audience              = google_cloudfunctions2_function.rotate.service_config[0].uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = 10
  }

  # Without this a subscription goes when nothing was published for 31 days.
  expiration_policy {
    ttl = ""
  }
}

resource "google_cloud_run_v2_service_iam_member" "rotate_caller" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.rotate.name
  role     = "roles/run.invoker"
  member   = google_service_account.events.member
}

# What nobody can read, and what was not taken in ten attempts. A code and a count are in it where a function publishes; no value ever.
resource "google_pubsub_topic" "dead_letters" {
  project    = var.project_id
  name       = "${var.prefix}-dead-letters"
  depends_on = [google_project_service.apis]
}

# A topic keeps nothing by itself. A person pulls from here.
resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project_id
  name                       = "${var.prefix}-dead-letters"
  topic                      = google_pubsub_topic.dead_letters.id
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub itself moves a message there: it publishes to the one and acknowledges on the other.
resource "google_pubsub_topic_iam_member" "pubsub_dead_letters" {
  project = var.project_id
  topic   = google_pubsub_topic.dead_letters.name
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_subscription_iam_member" "pubsub_notices" {
  project      = var.project_id
  subscription = google_pubsub_subscription.notices.name
  role         = "roles/pubsub.subscriber"
  member       = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic_iam_member" "rotate_dead_letters" {
  project = var.project_id
  topic   = google_pubsub_topic.dead_letters.name
  role    = google_project_iam_custom_role.dead_letters.id
  member  = google_service_account.rotate.member
}

resource "google_pubsub_topic_iam_member" "work_dead_letters" {
  project = var.project_id
  topic   = google_pubsub_topic.dead_letters.name
  role    = google_project_iam_custom_role.dead_letters.id
  member  = google_service_account.work.member
}

# The topics of consumers of kind pubsub, by name.
resource "google_pubsub_topic_iam_member" "work_consumer_topics" {
  for_each = toset(var.consumer_topics)
  project  = split("/", each.value)[1]
  topic    = split("/", each.value)[3]
  role     = google_project_iam_custom_role.announce.id
  member   = google_service_account.work.member
}

resource "google_pubsub_topic_iam_member" "invoke_consumer_topics" {
  for_each = toset(var.consumer_topics)
  project  = split("/", each.value)[1]
  topic    = split("/", each.value)[3]
  role     = google_project_iam_custom_role.announce.id
  member   = google_service_account.invoke.member
}
