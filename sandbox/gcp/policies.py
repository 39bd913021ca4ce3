"""getIamPolicy, setIamPolicy and testIamPermissions, the same for every kind of resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.gcp.answers import not_permitted_customer, refusal
from sandbox.gcp.org_policies import SHARING, OrgPolicies
from sandbox.gcp.routing import Call, Gate

_MICROSOFTS = "@guardians-prod-diskscanning.iam.gserviceaccount.com"
_MICROSOFT = ("principalSet://iam.googleapis.com/organizations/517615557103", "C03um0klj")


class Policies:
    """Policies of resources, under domain-restricted sharing."""

    def __init__(self, gate: Gate, is_ours: Callable[[str], bool], restrictions: OrgPolicies) -> None:
        """`is_ours` says of a member whether it belongs to the organization."""
        self._gate = gate
        self._is_ours = is_ours
        self._restrictions = restrictions

    def get(self, call: Call, resource: str, permission: str, above: str = "") -> Any:
        """The policy. `above` is what the permission is looked for on, where it is not the resource itself."""
        self._authorize(call, resource, permission, above)
        return self._gate.access.policy(resource)

    def set(self, call: Call, resource: str, permission: str, above: str = "") -> Any:
        """Replaces the policy."""
        self._authorize(call, resource, permission, above)
        policy = call.body().get("policy")
        if not isinstance(policy, dict):
            raise refusal(400, "Request contains an invalid argument.")
        members = [str(member) for each in policy.get("bindings", []) for member in each.get("members", [])]
        foreign = next((member for member in members if not self._may_be_granted(resource, above, member)), None)
        if foreign is not None:
            raise not_permitted_customer(resource, foreign)
        return self._gate.access.replace(resource, policy)

    def _may_be_granted(self, resource: str, above: str, member: str) -> bool:
        """By customer or organization: ours, which every such policy is taken to let in, and Microsoft's are known."""
        customers = _MICROSOFT if member.endswith(_MICROSOFTS) else ("somebody else",)
        return self._is_ours(member) or any(
            self._restrictions.admits(above or resource, SHARING, each) for each in customers
        )

    def test(self, call: Call, resource: str) -> Any:
        """Those of the permissions asked for that the caller has; the field is left out where it has none."""
        asked = [str(each) for each in call.body().get("permissions", [])]
        had = [each for each in asked if self._gate.allows(call.caller, each, resource)]
        return {"permissions": had} if had else {}

    def _authorize(self, call: Call, resource: str, permission: str, above: str) -> None:
        places = [resource, *self._gate.hierarchy.above(above)] if above else self._gate.hierarchy.above(resource)
        if not self._gate.access.allows(call.caller, permission, places):
            self._gate.authorize(call.caller, permission, above or resource)
