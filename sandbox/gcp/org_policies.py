"""Organization Policy v2: policies about lists of values as they hold, with what is inherited.

Source: the API's discovery document and reference. The nearest policy from the resource upwards counts alone: merging
with what is above it, and conditions, are not simulated. Asked in the sandbox are domain-restricted sharing, when
something is granted, and the restriction of issuers, when a provider is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.gcp.answers import refusal
from sandbox.gcp.hierarchy import Hierarchy
from sandbox.gcp.routing import Call, Route

SHARING = "iam.allowedPolicyMemberDomains"
ISSUERS = "iam.workloadIdentityPoolProviders"
_KNOWN = (SHARING, ISSUERS, "compute.storageResourceUseRestrictions", "gcp.restrictServiceUsage")
_EVERYTHING: tuple[dict[str, Any], ...] = ({"allowAll": True},)


class OrgPolicies:
    """Policies by resource and constraint."""

    def __init__(self, hierarchy: Hierarchy) -> None:
        self._hierarchy = hierarchy
        self._rules: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {}

    def routes(self) -> list[Route]:
        """Every operation."""
        policy = r"/policies/(?P<constraint>[^/:]+):getEffectivePolicy"
        return [
            Route(
                id=f"orgpolicy.{kind}.policies.getEffectivePolicy",
                method="GET",
                path=f"/v2/{path}{policy}",
                handler=self._effective,
                permission="orgpolicy.policy.get",
                resource=resource,
            )
            for kind, path, resource in (
                ("organizations", "(?P<name>organizations/[0-9]+)", "{name}"),
                ("projects", "projects/(?P<project>[^/:]+)", "projects/{project}"),
            )
        ]

    def allow(self, resource: str, constraint: str, *values: str) -> None:
        """Sets a policy that allows these values and no others; none at all where there are none."""
        rule = {"values": {"allowedValues": list(values)}} if values else {"denyAll": True}
        self._rules[resource, constraint] = (rule,)

    def deny(self, resource: str, constraint: str, *values: str) -> None:
        """Sets a policy that allows everything else."""
        self._rules[resource, constraint] = ({"values": {"deniedValues": list(values)}},)

    def reset(self) -> None:
        """Takes every policy away."""
        self._rules.clear()

    def rules(self, resource: str, constraint: str) -> Sequence[dict[str, Any]]:
        """What holds for a resource."""
        found = (self._rules.get((each, constraint)) for each in self._hierarchy.above(resource))
        return next((each for each in found if each is not None), _EVERYTHING)

    def admits(self, resource: str, constraint: str, value: str) -> bool:
        """Whether a value is allowed for a resource."""
        for rule in self.rules(resource, constraint):
            values = rule.get("values", {})
            if rule.get("denyAll") or value in values.get("deniedValues", ()):
                return False
            if values.get("allowedValues") and value not in values["allowedValues"]:
                return False
        return True

    def _effective(self, call: Call) -> Any:
        constraint = call.parts["constraint"]
        if constraint not in _KNOWN:
            raise refusal(404, "Requested entity was not found.")
        resource = call.parts.get("name") or f"projects/{call.parts['project']}"
        name = f"{resource}/policies/{constraint}"
        return {"name": name, "spec": {"rules": [dict(rule) for rule in self.rules(resource, constraint)]}}
