"""Google Cloud as a deployment of Rollcall leaves it: the management project, our pool, our service account."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.azure.entra import GOOGLE_AUDIENCE
from sandbox.azure.tokens import issuer_of
from sandbox.gcp.cloud import GcpCloud
from sandbox.gcp.defender import data

ROLE_PERMISSIONS = (  # on the organization; a test holds them to those of infra/gcp, with `rollcall_arc`
    "resourcemanager.projects.get",
    "resourcemanager.folders.get",
    "resourcemanager.organizations.getIamPolicy",
    "serviceusage.services.get",
    "serviceusage.services.enable",
    "serviceusage.operations.get",
    "compute.projects.get",
    "compute.projects.setCommonInstanceMetadata",
    "compute.globalOperations.get",
    "compute.instances.list",
    "iam.roles.get",
)
IDENTITIES_PERMISSIONS = ("iam.serviceAccounts.get", "iam.serviceAccounts.getIamPolicy")
"""In the management project, or on the organization where each project has identities of its own."""
POLICY_VIEWER, POOL_VIEWER = "roles/orgpolicy.policyViewer", "roles/iam.workloadIdentityPoolViewer"


@dataclass(frozen=True, kw_only=True)
class GcpDeployment:
    """What the Function App has to know, and who it is."""

    audience: str
    service_account: str
    role: str
    identities_role: str
    member: str
    management_number: str
    management_project: str
    push_account: str


def deploy(cloud: GcpCloud, *, tenant_id: str, object_id: str, standalone: bool = False) -> GcpDeployment:
    """Makes it. `object_id` is the managed identity's, whose tokens become the service account."""
    services = {*data()["services"], "orgpolicy.googleapis.com"}
    project = cloud.add_project(f"mdc-mgmt-proj-{cloud.organization}", services=services)
    pool = f"projects/{project.number}/locations/global/workloadIdentityPools/rollcall"
    cloud.identities.add_pool(pool, displayName="Rollcall")
    cloud.identities.add_provider(
        f"{pool}/providers/entra",
        displayName="Entra",
        attributeMapping={"google.subject": "assertion.sub"},
        attributeCondition=f"google.subject == '{object_id}'",
        oidc={"issuerUri": issuer_of(tenant_id), "allowedAudiences": [GOOGLE_AUDIENCE]},
    )
    email = cloud.identities.add_account("rollcall", project.project_id, "Rollcall")
    push_account = cloud.identities.add_account("rollcall-push", project.project_id, "Rollcall's push subscription")
    member = f"principal://iam.googleapis.com/{pool}/subject/{object_id}"
    cloud.access.grant(f"serviceAccounts/{email}", "roles/iam.workloadIdentityUser", member)
    root, us = cloud.hierarchy.root, f"serviceAccount:{email}"
    role, identities_role = f"{root}/roles/rollcall", f"{root}/roles/rollcallIdentities"
    cloud.access.define(role, ROLE_PERMISSIONS)
    cloud.access.define(identities_role, IDENTITIES_PERMISSIONS)
    for granted in (role, POLICY_VIEWER):
        cloud.access.grant(root, granted, us)
    for granted in (identities_role, POOL_VIEWER):
        cloud.access.grant(root if standalone else project.name, granted, us)
    return GcpDeployment(
        audience=f"//iam.googleapis.com/{pool}/providers/entra",
        service_account=email,
        role=role,
        identities_role=identities_role,
        member=member,
        management_number=project.number,
        management_project=project.project_id,
        push_account=push_account,
    )
