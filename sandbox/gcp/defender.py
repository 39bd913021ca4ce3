"""Defender's identities in a project, as `infra/gcp` makes them: pool, providers, service accounts and their bindings.

What each is called, and what its provider admits, is read from the Terraform's own data.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.gcp.callers import SERVICE_ACCOUNT_DOMAIN
from sandbox.gcp.hierarchy import Project

if TYPE_CHECKING:
    from sandbox.gcp.cloud import GcpCloud

_DATA = Path(__file__).resolve().parents[2] / "infra" / "gcp" / "defender.json"
_USER = "roles/iam.workloadIdentityUser"
_CREATOR = "roles/iam.serviceAccountTokenCreator"


def data() -> dict[str, Any]:
    """The Terraform's data."""
    found: dict[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))
    return found


def pool_of(project_number: str, tenant_id: str) -> str:
    """The resource name of Defender's pool."""
    pool = tenant_id.lower().replace("-", "")
    return f"projects/{project_number}/locations/global/workloadIdentityPools/{pool}"


def deploy_defender(cloud: GcpCloud, project: Project, tenant_id: str) -> None:
    """Makes all of them, for every plan, with their roles on the organization."""
    deploy_identities(cloud, project, tenant_id)
    known, root = data(), cloud.hierarchy.root
    for role, permissions in known["custom_roles"].items():
        cloud.access.define(f"{root}/roles/{role}", permissions)
    granted = {f"{name}@{project.project_id}{SERVICE_ACCOUNT_DOMAIN}": each for name, each in _accounts(known)}
    for email, each in (granted | known["external_members"]).items():
        for role in each["roles"]:
            name = role if role.startswith("roles/") else f"{root}/roles/{role}"
            cloud.access.grant(root, name, f"serviceAccount:{email}")


def _accounts(known: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(known["service_accounts"].items())


def deploy_identities(cloud: GcpCloud, project: Project, tenant_id: str) -> None:
    """Pool, providers, service accounts and who may become them; nobody is granted a role."""
    known, pool = data(), pool_of(project.number, tenant_id)
    cloud.identities.add_pool(pool, displayName=known["pool_display_name"])
    for name, provider in known["providers"].items():
        oidc = {"issuerUri": _issuer(known, provider, tenant_id), "allowedAudiences": [provider["audience"]]}
        cloud.identities.add_provider(f"{pool}/providers/{name}", oidc=oidc)
    for name, account in _accounts(known):
        email = cloud.identities.add_account(name, project.project_id)
        if "provider" in account:
            cloud.access.grant(f"serviceAccounts/{email}", _USER, f"principalSet://iam.googleapis.com/{pool}/*")
        for creator in account.get("token_creators", []):
            member = f"serviceAccount:{creator}@{project.project_id}{SERVICE_ACCOUNT_DOMAIN}"
            cloud.access.grant(f"serviceAccounts/{email}", _CREATOR, member)


def _issuer(known: dict[str, Any], provider: dict[str, Any], tenant_id: str) -> str:
    return f"https://sts.windows.net/{tenant_id}/" if provider.get("own_tenant") else str(known["issuer"])


@dataclass(frozen=True, kw_only=True)
class SeenProject:
    """A project through Defender's eyes. `admitted` are pairs of a provider and an account that it lets in."""

    project_id: str
    active: bool
    services: frozenset[str]
    admitted: frozenset[tuple[str, str]] = field(default_factory=frozenset)


def inspect_project(cloud: GcpCloud, number: str, *, tenant_id: str) -> SeenProject | None:
    """What Defender finds in a project; None where there is none of that number."""
    project = cloud.hierarchy.find_project(number)
    if project is None:
        return None
    known, pool = data(), pool_of(project.number, tenant_id)
    usable = _usable(cloud.identities.pools.get(pool))
    providers = [
        name
        for name, provider in known["providers"].items()
        if usable and _takes(cloud.identities.providers.get(f"{pool}/providers/{name}"), known, provider, tenant_id)
    ]
    accounts = [
        email
        for email, account in cloud.identities.accounts.items()
        if account["projectId"] == project.project_id and not account.get("disabled") and _lets_in(cloud, email, pool)
    ]
    return SeenProject(
        project_id=project.project_id,
        active=project.state == "ACTIVE",
        services=frozenset(project.services),
        admitted=frozenset((provider, email) for provider in providers for email in accounts),
    )


def _usable(body: dict[str, Any] | None) -> bool:
    return body is not None and body.get("state") == "ACTIVE" and not body.get("disabled")


def _takes(body: dict[str, Any] | None, known: dict[str, Any], provider: dict[str, Any], tenant_id: str) -> bool:
    oidc = (body or {}).get("oidc", {})
    right = oidc.get("issuerUri") == _issuer(known, provider, tenant_id)
    return _usable(body) and right and provider["audience"] in oidc.get("allowedAudiences", [])


def _lets_in(cloud: GcpCloud, email: str, pool: str) -> bool:
    bindings = cloud.access.policy(f"serviceAccounts/{email}").get("bindings", [])
    members = {member for each in bindings if each["role"] == _USER for member in each["members"]}
    return any(member.startswith(f"principalSet://iam.googleapis.com/{pool}/") for member in members)
