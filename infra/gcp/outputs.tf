output "function_settings" {
  description = "Settings of the Function App; none is a secret."
  value = {
    ROLLCALL_GCP__AUDIENCE             = "//iam.googleapis.com/${google_iam_workload_identity_pool_provider.rollcall.name}"
    ROLLCALL_GCP__SERVICE_ACCOUNT      = google_service_account.rollcall.email
    ROLLCALL_GCP__TOKEN_RESOURCE       = var.token_resource
    ROLLCALL_GCP__PUSH_AUDIENCE        = var.push_audience
    ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT = google_service_account.push.email
  }
}

output "policy" {
  description = "What the policy's section gcp has to say about this organization."
  value = merge(
    { organization = var.organization_id, mode = var.mode },
    var.mode == "member" ? {
      management_project = { number = data.google_project.management.number, id = var.management_project_id }
    } : {},
  )
}
