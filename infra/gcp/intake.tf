# Events of projects: organization log sink → topic → push to the Function App, with a token.
resource "google_logging_organization_sink" "project_events" {
  org_id           = var.organization_id
  name             = "rollcall-project-events"
  description      = "Creation, undeletion, move and deletion of projects, for Rollcall"
  destination      = "pubsub.googleapis.com/${google_pubsub_topic.project_events.id}"
  filter           = local.project_events_filter
  disabled         = !var.send_events
  include_children = true # a creation is logged in the new project's own log
}

resource "google_pubsub_topic" "project_events" {
  project = var.management_project_id
  name    = "rollcall-project-events"

  depends_on = [google_project_service.management]
}

# A binding, not a member: nobody but the sink is given the topic.
resource "google_pubsub_topic_iam_binding" "project_events" {
  project = var.management_project_id
  topic   = google_pubsub_topic.project_events.name
  role    = "roles/pubsub.publisher"
  members = [google_logging_organization_sink.project_events.writer_identity]
}

# Without any role: it is only a name that the function knows.
resource "google_service_account" "push" {
  project      = var.management_project_id
  account_id   = "rollcall-push"
  display_name = "Rollcall: pushes project events"

  depends_on = [google_project_service.management]
}

locals {
  pubsub_agent = "serviceAccount:service-${data.google_project.management.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_service_account_iam_member" "push_tokens" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = local.pubsub_agent

  depends_on = [google_pubsub_topic.project_events] # before the first topic there may be no agent
}

resource "google_pubsub_subscription" "push" {
  project                    = var.management_project_id
  name                       = "rollcall-push"
  topic                      = google_pubsub_topic.project_events.id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = "" # never: an organization without a new project for a month is no reason
  }

  push_config {
    push_endpoint = var.push_endpoint

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = var.push_audience
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter.id
    max_delivery_attempts = var.max_delivery_attempts
  }

  depends_on = [google_service_account_iam_member.push_tokens]
}

resource "google_pubsub_topic" "dead_letter" {
  project = var.management_project_id
  name    = "rollcall-dead-letter"

  depends_on = [google_project_service.management]
}

resource "google_pubsub_topic_iam_binding" "dead_letter" {
  project = var.management_project_id
  topic   = google_pubsub_topic.dead_letter.name
  role    = "roles/pubsub.publisher"
  members = [local.pubsub_agent]
}

# To take a message out of the way the agent has to acknowledge it.
resource "google_pubsub_subscription_iam_binding" "push" {
  project      = var.management_project_id
  subscription = google_pubsub_subscription.push.name
  role         = "roles/pubsub.subscriber"
  members      = [local.pubsub_agent]
}

# Waits for a person: `gcloud pubsub subscriptions pull rollcall-dead-letter`.
resource "google_pubsub_subscription" "dead_letter" {
  project                    = var.management_project_id
  name                       = "rollcall-dead-letter"
  topic                      = google_pubsub_topic.dead_letter.id
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}
