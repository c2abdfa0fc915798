output "topic" {
  value       = google_pubsub_topic.notices.id
  description = "The topic that a secret names, so that rotate hears of it"
  depends_on  = [google_pubsub_topic_iam_member.secret_manager] # a secret is refused whose topic the service may not publish to
}

output "dead_letters" {
  value       = google_pubsub_subscription.dead_letters.id
  description = "Where a person pulls what could not be delivered"
}

output "queue" {
  value       = google_cloud_tasks_queue.work.id
  description = "The queue of the work"
}

output "invoke_url" {
  value       = google_cloudfunctions2_function.invoke.service_config[0].uri
  description = "Where people and pipelines ask; also the audience of their tokens"
}

output "public_set_url" {
  value       = one(google_cloudfunctions2_function.jwks[*].service_config[0].uri)
  description = "Where everybody reads the public set; null without one"
}

output "functions" {
  value       = join(" ", [for name in ["rotate", "sweep", "work", "invoke"] : "${local.services}/${var.prefix}-${name}"])
  description = "The services that nobody may call to whom it was not granted, as KEYTURN_FUNCTIONS of keyturn doctor takes them"
}

output "accounts" {
  value = {
    rotate = google_service_account.rotate.email
    sweep  = google_service_account.sweep.email
    work   = google_service_account.work.email
    invoke = google_service_account.invoke.email
  }
  description = "The account of each function, for what it needs beside secrets, such as a cluster or a database"
}
