"""Defender's identities in a project, looked at: pool, providers, service accounts and who may be them.

Source: IAM API v1: `workloadIdentityPools`, `providers`, `serviceAccounts`, `getIamPolicy`. A pool that was deleted is
still shown, with state DELETED, for 30 days.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from shared.adapters.gcp.client import GoogleClient, JsonBody
from shared.adapters.gcp.errors import reads_google
from shared.domain.gcp_grants import TOKEN_CREATOR, USER
from shared.domain.sweep.project_identity import FederationProviderSeen, PoolSeen, ServiceAccountSeen

_SERVICE = "iam"
_POLICY_VERSION = "3"  # older ones hide conditions


class GcpProjectIdentities:
    """Reads only. All methods raise TransientError, PermanentError, ConfigurationError."""

    def __init__(self, client: GoogleClient) -> None:
        self._client = client

    @reads_google
    def find_pool(self, number: str, pool_id: str) -> PoolSeen | None:
        """What there is of the pool in that project, with its providers."""
        path = f"/v1/projects/{number}/locations/global/workloadIdentityPools/{quote(pool_id, safe='')}"
        doing = f"read the workload identity pool {pool_id} of project {number}"
        body = self._client.find(_SERVICE, path, doing)
        if body is None:
            return None
        providers: dict[str, FederationProviderSeen] = {}
        for page in self._client.pages(_SERVICE, f"{path}/providers", doing, query={"showDeleted": "true"}):
            for each in page.get("workloadIdentityPoolProviders", []):
                providers[str(each["name"]).rpartition("/")[2]] = _provider(each)
        return PoolSeen(usable=_usable(body), providers=providers, deleted=_deleted(body))

    @reads_google
    def find_account(self, project_id: str, email: str) -> ServiceAccountSeen | None:
        """The account and who may be it. The project is named: without it one that is not there is answered 403."""
        path = f"/v1/projects/{quote(project_id, safe='')}/serviceAccounts/{quote(email, safe='@')}"
        doing = f"read the service account {email}"
        body = self._client.find(_SERVICE, path, doing)
        if body is None:
            return None
        query = f"?options.requestedPolicyVersion={_POLICY_VERSION}"
        policy = self._client.query(_SERVICE, f"{path}:getIamPolicy{query}", {}, doing)
        bindings = policy.get("bindings", [])
        return ServiceAccountSeen(
            usable=not body.get("disabled", False),
            federated=_members(bindings, USER),
            token_creators=_members(bindings, TOKEN_CREATOR),
            conditional=_members(bindings, USER, TOKEN_CREATOR, conditional=True),
        )


def _provider(body: JsonBody) -> FederationProviderSeen:
    oidc = body.get("oidc", {})
    return FederationProviderSeen(
        usable=_usable(body),
        issuer=str(oidc.get("issuerUri", "")),
        audiences=frozenset(map(str, oidc.get("allowedAudiences", []))),
        condition=str(body.get("attributeCondition", "")),
        deleted=_deleted(body),
    )


def _usable(body: JsonBody) -> bool:
    return body.get("state") == "ACTIVE" and not body.get("disabled", False)


def _deleted(body: JsonBody) -> bool:
    return body.get("state") == "DELETED"


def _members(bindings: Sequence[JsonBody], *roles: str, conditional: bool = False) -> frozenset[str]:
    found = (each for each in bindings if each.get("role") in roles and ("condition" in each) == conditional)
    return frozenset(str(member) for binding in found for member in binding.get("members", []))
