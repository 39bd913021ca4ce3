# Rollcall's own identity: one managed identity of one tenant becomes one service account. No key is made.
resource "google_iam_workload_identity_pool" "rollcall" {
  project                   = var.management_project_id
  workload_identity_pool_id = "rollcall"
  display_name              = "Rollcall"
  description               = "Rollcall's Function App becomes its service account through this pool."

  depends_on = [google_project_service.management]
}

resource "google_iam_workload_identity_pool_provider" "rollcall" {
  project                            = var.management_project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.rollcall.workload_identity_pool_id
  workload_identity_pool_provider_id = "function-app"
  description                        = "The managed identity of Rollcall's Function App"
  attribute_condition                = "assertion.sub == '${var.function_identity_object_id}'"
  attribute_mapping                  = { "google.subject" = "assertion.sub" }

  oidc {
    issuer_uri        = local.tenant_issuer
    allowed_audiences = [var.token_resource]
  }
}

resource "google_service_account" "rollcall" {
  project      = var.management_project_id
  account_id   = "rollcall"
  display_name = "Rollcall"

  depends_on = [google_project_service.management]
}

resource "google_service_account_iam_member" "rollcall_federation" {
  service_account_id = google_service_account.rollcall.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/${google_iam_workload_identity_pool.rollcall.name}/subject/${var.function_identity_object_id}"
}

resource "google_organization_iam_custom_role" "rollcall" {
  org_id      = var.organization_id
  role_id     = "rollcall"
  title       = "Rollcall"
  description = "Finds projects, enables the services that Defender for Cloud needs in them, reads what diagnosis needs."
  permissions = local.rollcall_permissions
}

resource "google_organization_iam_member" "rollcall" {
  org_id = var.organization_id
  role   = google_organization_iam_custom_role.rollcall.name
  member = google_service_account.rollcall.member
}

# Diagnosis: organization policies that keep Defender out.
resource "google_organization_iam_member" "rollcall_policies" {
  org_id = var.organization_id
  role   = "roles/orgpolicy.policyViewer"
  member = google_service_account.rollcall.member
}

# Diagnosis: service accounts and who may become them. Pools and providers have a role of Google's.
resource "google_organization_iam_custom_role" "rollcall_identities" {
  org_id      = var.organization_id
  role_id     = "rollcallIdentities"
  title       = "Rollcall: identities"
  description = "Looks at service accounts and who may become them."
  permissions = ["iam.serviceAccounts.get", "iam.serviceAccounts.getIamPolicy"]
}

resource "google_project_iam_member" "rollcall_identities" {
  project = var.management_project_id
  role    = google_organization_iam_custom_role.rollcall_identities.name
  member  = google_service_account.rollcall.member
}

resource "google_project_iam_member" "rollcall_pools" {
  project = var.management_project_id
  role    = "roles/iam.workloadIdentityPoolViewer"
  member  = google_service_account.rollcall.member
}

# In mode standalone every project has pools and accounts of its own.
resource "google_organization_iam_member" "rollcall_identities" {
  count = var.mode == "standalone" ? 1 : 0

  org_id = var.organization_id
  role   = google_organization_iam_custom_role.rollcall_identities.name
  member = google_service_account.rollcall.member
}

resource "google_organization_iam_member" "rollcall_pools" {
  count = var.mode == "standalone" ? 1 : 0

  org_id = var.organization_id
  role   = "roles/iam.workloadIdentityPoolViewer"
  member = google_service_account.rollcall.member
}
