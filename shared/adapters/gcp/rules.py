"""Who has which role on an organization, its custom roles, and organization policies as they hold.

Source: Cloud Resource Manager API v3, `organizations.getIamPolicy`; IAM API v1, `organizations.roles.get`: a deleted
role is shown for seven days, stage DISABLED grants nothing; Organization Policy API v2, `getEffectivePolicy`: what is
inherited is merged and conditions are evaluated, a constraint without a policy comes with its default.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from urllib.parse import quote

from shared.adapters.gcp.client import GoogleClient, JsonBody
from shared.adapters.gcp.errors import reads_google
from shared.domain.sweep.project_identity import CustomRoleSeen, ListPolicySeen

_POLICY_VERSION = 3  # older ones hide conditions


class GcpOrganizationRules:
    """Reads only. All methods raise TransientError, PermanentError, ConfigurationError."""

    def __init__(self, client: GoogleClient) -> None:
        self._client = client

    @reads_google
    def grants(self, organization: str) -> Mapping[str, frozenset[str]]:
        """The members of each role; those of a binding with a condition count."""
        path = f"/v3/organizations/{organization}:getIamPolicy"
        asked = {"options": {"requestedPolicyVersion": _POLICY_VERSION}}
        doing = f"read who has which role on organization {organization}"
        policy = self._client.query("cloudresourcemanager", path, asked, doing)
        found: dict[str, set[str]] = defaultdict(set)
        for binding in policy.get("bindings", []):
            found[str(binding.get("role"))].update(map(str, binding.get("members", [])))
        return {role: frozenset(members) for role, members in found.items()}

    @reads_google
    def find_role(self, organization: str, role_id: str) -> CustomRoleSeen | None:
        """A custom role of the organization."""
        path = f"/v1/organizations/{organization}/roles/{quote(role_id, safe='')}"
        body = self._client.find("iam", path, f"read the role {role_id} of organization {organization}")
        if body is None:
            return None
        return CustomRoleSeen(deleted=bool(body.get("deleted")), disabled=body.get("stage") == "DISABLED")

    @reads_google
    def list_policy(self, resource: str, constraint: str) -> ListPolicySeen:
        """The policy about a list of values as it holds for a project or an organization."""
        path = f"/v2/{resource}/policies/{constraint}:getEffectivePolicy"
        body = self._client.get("orgpolicy", path, f"read constraints/{constraint} of {resource}")
        rules: list[JsonBody] = body.get("spec", {}).get("rules", [])
        allowed, denied = _values(rules, "allowedValues"), _values(rules, "deniedValues")
        if any(rule.get("denyAll") for rule in rules):
            return ListPolicySeen(allowed=frozenset())
        everything = not allowed or any(rule.get("allowAll") for rule in rules)
        return ListPolicySeen(allowed=None if everything else allowed, denied=denied)


def _values(rules: list[JsonBody], name: str) -> frozenset[str]:
    found = (value for rule in rules for value in rule.get("values", {}).get(name, []))
    return frozenset(str(value).removeprefix("is:") for value in found)
