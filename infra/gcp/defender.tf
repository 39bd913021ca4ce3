# Defender for Cloud's own identities, for all projects of the organization. Connectors name them by short id and e-mail
# address. None in mode standalone.
resource "google_iam_workload_identity_pool" "defender" {
  count = var.mode == "member" ? 1 : 0

  project                   = var.management_project_id
  workload_identity_pool_id = local.defender_pool_id
  display_name              = local.defender.pool_display_name
  description               = "Microsoft Defender for Cloud becomes its service accounts through this pool."

  depends_on = [google_project_service.management]
}

resource "google_iam_workload_identity_pool_provider" "defender" {
  for_each = local.providers

  project                            = var.management_project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.defender[0].workload_identity_pool_id
  workload_identity_pool_provider_id = each.key
  description                        = "Microsoft Defender for Cloud"
  attribute_condition                = each.value.app_id == null ? null : "attribute.appid=='${each.value.app_id}'"
  attribute_mapping = merge(
    { "google.subject" = "assertion.sub" },
    each.value.app_id == null ? {} : { "attribute.tid" = "assertion.tid", "attribute.appid" = "assertion.appid" },
  )

  oidc {
    issuer_uri        = each.value.own_tenant ? local.tenant_issuer : local.defender.issuer
    allowed_audiences = [each.value.audience]
  }
}

resource "google_service_account" "defender" {
  for_each = local.accounts

  project      = var.management_project_id
  account_id   = each.key
  display_name = "Microsoft Defender for Cloud: ${each.key}"

  depends_on = [google_project_service.management]
}

# The whole pool, as Defender itself asks for: its providers take tokens of Microsoft's tenant, for their own audience, only.
resource "google_service_account_iam_member" "defender_federation" {
  for_each = { for id, account in local.accounts : id => account if account.provider != null }

  service_account_id = google_service_account.defender[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.defender[0].name}/*"
}

resource "google_service_account_iam_member" "defender_token_creators" {
  for_each = local.token_creators

  service_account_id = google_service_account.defender[each.value.account].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.defender[each.value.creator].member
}

resource "google_organization_iam_custom_role" "defender" {
  for_each = local.custom_roles

  org_id      = var.organization_id
  role_id     = each.key
  title       = each.key
  description = "Microsoft Defender for Cloud"
  permissions = each.value
}

# Members are added, never replaced: others in the organization have the same roles. roles/viewer, a basic role, is what
# Defender itself asks for: its inventory reads every kind of resource.
resource "google_organization_iam_member" "defender" {
  for_each = local.account_grants

  org_id = var.organization_id
  role   = startswith(each.value.role, "roles/") ? each.value.role : google_organization_iam_custom_role.defender[each.value.role].name
  member = google_service_account.defender[each.value.account].member
}

# Accounts of Microsoft and Google, outside the organization: domain-restricted sharing has to let them in.
resource "google_organization_iam_member" "external" {
  for_each = local.external_grants

  org_id = var.organization_id
  role   = startswith(each.value.role, "roles/") ? each.value.role : google_organization_iam_custom_role.defender[each.value.role].name
  member = "serviceAccount:${each.value.email}"
}

# Says all that is logged of this service in the organization: what somebody else switched on for it before is replaced.
resource "google_organization_iam_audit_config" "defender" {
  for_each = local.audit_logs

  org_id  = var.organization_id
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value

    content {
      log_type = audit_log_config.value
    }
  }
}
