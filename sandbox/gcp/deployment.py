"""Google Cloud as a deployment of Rollcall leaves it: the management project, our pool, our service account."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.azure.entra import GOOGLE_AUDIENCE
from sandbox.azure.tokens import issuer_of
from sandbox.gcp.cloud import GcpCloud

ROLE_PERMISSIONS = (  # on the organization; the last four as where each project has identities of its own
    "resourcemanager.projects.get",
    "resourcemanager.folders.get",
    "serviceusage.services.get",
    "serviceusage.services.enable",
    "serviceusage.operations.get",
    "compute.projects.get",
    "compute.projects.setCommonInstanceMetadata",
    "compute.globalOperations.get",
    "compute.instances.list",
    "iam.workloadIdentityPools.get",
    "iam.workloadIdentityPoolProviders.list",
    "iam.serviceAccounts.get",
    "iam.serviceAccounts.getIamPolicy",
)
_APIS = ("iam", "sts", "cloudresourcemanager", "iamcredentials", "compute", "serviceusage")


@dataclass(frozen=True, kw_only=True)
class GcpDeployment:
    """What the Function App has to know, and who it is."""

    audience: str
    service_account: str
    role: str
    member: str
    management_number: str
    management_project: str
    push_account: str


def deploy(cloud: GcpCloud, *, tenant_id: str, object_id: str) -> GcpDeployment:
    """Makes it. `object_id` is the managed identity's, whose tokens become the service account."""
    project = cloud.add_project(
        f"mdc-mgmt-proj-{cloud.organization}", services={f"{api}.googleapis.com" for api in _APIS}
    )
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
    role = f"{cloud.hierarchy.root}/roles/rollcall"
    cloud.access.define(role, ROLE_PERMISSIONS)
    cloud.access.grant(cloud.hierarchy.root, role, f"serviceAccount:{email}")
    return GcpDeployment(
        audience=f"//iam.googleapis.com/{pool}/providers/entra",
        service_account=email,
        role=role,
        member=member,
        management_number=project.number,
        management_project=project.project_id,
        push_account=push_account,
    )
