# Which of Defender's identities the plans need. Names no resource, so that it can be evaluated without a provider.
locals {
  defender = jsondecode(file("${path.module}/defender.json"))

  plans = var.mode == "member" ? setunion(var.plans, ["foundational_cspm"]) : []
  parts = setunion(var.parts, ["always"])

  accounts = {
    for id, account in local.defender.service_accounts : id => {
      provider = lookup(account, "provider", null)
      roles    = var.read_only_image_assessment ? lookup(account, "read_only_roles", account.roles) : account.roles
    }
    if length(setintersection(account.plans, local.plans)) > 0 && contains(local.parts, lookup(account, "part", "always"))
  }

  external_members = {
    for email, member in local.defender.external_members : email => member.roles
    if length(setintersection(member.plans, local.plans)) > 0 && contains(local.parts, member.part)
  }

  providers = {
    for id in distinct([for account in values(local.accounts) : account.provider if account.provider != null]) : id => {
      audience   = local.defender.providers[id].audience
      own_tenant = lookup(local.defender.providers[id], "own_tenant", false)
      app_id     = lookup(local.defender.providers[id], "app_id", null)
    }
  }

  account_grants = {
    for grant in flatten([
      for id, account in local.accounts : [for role in account.roles : { account = id, role = role }]
    ]) : "${grant.account} ${grant.role}" => grant
  }

  external_grants = {
    for grant in flatten([
      for email, roles in local.external_members : [for role in roles : { email = email, role = role }]
    ]) : "${grant.email} ${grant.role}" => grant
  }

  token_creators = {
    for grant in flatten([
      for id, account in local.defender.service_accounts : [
        for creator in lookup(account, "token_creators", []) : { account = id, creator = creator }
        if contains(keys(local.accounts), creator)
      ] if contains(keys(local.accounts), id)
    ]) : "${grant.account} ${grant.creator}" => grant
  }

  custom_roles = {
    for id, permissions in local.defender.custom_roles : id => permissions
    if contains(concat(values(local.account_grants), values(local.external_grants))[*].role, id)
  }

  audit_logs = contains(local.plans, "containers") && contains(local.parts, "audit_logs") ? local.defender.audit_logs : {}

  # Google charges a call of a service account to the project that it lives in: the services have to be on there.
  services = toset(concat(local.defender.services, ["orgpolicy.googleapis.com"]))

  defender_pool_id = replace(var.tenant_id, "-", "")
  tenant_issuer    = "https://sts.windows.net/${var.tenant_id}/"

  # Project events, of Resource Manager v1 ("CreateProject") and v3 ("….Projects.CreateProject"). No condition on the
  # operation: entries of v1 have none, and would be lost.
  project_events_filter = join(" AND ", [
    "logName:\"cloudaudit.googleapis.com%2Factivity\"",
    "protoPayload.serviceName=\"cloudresourcemanager.googleapis.com\"",
    "protoPayload.methodName=~\"(^|[.])(CreateProject|UndeleteProject|MoveProject|DeleteProject)$\"",
  ])

  rollcall_permissions = concat(
    [
      # The project as it is now, its folders' names, every project of the organization.
      "resourcemanager.folders.get",
      "resourcemanager.projects.get",
      # The services that Defender needs in a project.
      "serviceusage.operations.get",
      "serviceusage.services.enable",
      "serviceusage.services.get",
      # Diagnosis: which roles Defender's accounts have in the organization.
      "iam.roles.get",
      "resourcemanager.organizations.getIamPolicy",
    ],
    var.rollcall_arc ? [
      "compute.globalOperations.get",
      "compute.instances.list",
      "compute.projects.get",
      "compute.projects.setCommonInstanceMetadata",
    ] : [],
  )
}
