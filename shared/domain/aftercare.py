"""What is seen to on a connector once it is there: compliance standards and governance rules, each under a fixed id.

Source: Microsoft.Security/standardAssignments 2024-08-01 and governanceRules 2022-01-01-preview.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

from shared.domain.connectors import ConnectorId
from shared.domain.profiles import GovernanceRule, Profile

_NAMESPACE = uuid.UUID("0d4b9a54-3b5c-5e19-8a8e-6a5d1f7c9b02")
_DESCRIPTION = "Made by Rollcall, as the policy asks."
STANDARDS_UNREADABLE = "the connector's standards cannot be read"
"""How a finding begins that is about all standards of a profile."""


def aftercare_digest(profile: Profile) -> str:
    """Changes with everything that aftercare depends on; empty where the profile asks for none."""
    if not profile.standards and not profile.governance:
        return ""
    facts = (profile.standards, [vars(rule) for rule in profile.governance], sorted(profile.plans))
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def assignment_id(connector_id: ConnectorId, standard_id: str) -> str:
    """The id of a standard's assignment: the same connector and standard give the same."""
    return _fixed_id(connector_id, standard_id)


def rule_id(connector_id: ConnectorId, rule: GovernanceRule) -> str:
    """The id of a governance rule: the same connector and name give the same."""
    return _fixed_id(connector_id, f"rule {rule.name}")


def _fixed_id(connector_id: ConnectorId, what: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{connector_id}|{what}".lower()))


def assignment_body(display_name: str, standard_id: str) -> dict[str, Any]:
    """The body of a standard's assignment."""
    return {
        "properties": {
            "displayName": display_name,
            "description": _DESCRIPTION,
            "assignedStandard": {"id": standard_id},
            "effect": "Audit",
            "excludedScopes": [],
        }
    }


def rule_body(rule: GovernanceRule) -> dict[str, Any]:
    """The body of a governance rule."""
    condition = {"property": "$.Metadata.Severity", "operator": "In", "value": json.dumps(list(rule.severities))}
    return {
        "properties": {
            "displayName": rule.name,
            "description": _DESCRIPTION,
            "remediationTimeframe": f"{rule.remediation_days}.00:00:00",
            "isGracePeriod": rule.grace_period,
            "rulePriority": rule.priority,
            "isDisabled": False,
            "ruleType": "Integrated",
            "sourceResourceType": "Assessments",
            "conditionSets": [{"conditions": [condition]}],
            "ownerSource": {"type": "ByTag" if rule.owner_from_tag else "Manually", "value": rule.owner},
        }
    }


def rule_differences(wanted: dict[str, Any], actual: dict[str, Any]) -> tuple[str, ...]:
    """The properties in which a rule that exists says something else than the wanted one; what it says besides is left.

    The values of a condition are JSON in a string, which may be written in more than one way.
    """
    have = _plain(actual.get("properties") or {})
    return tuple(
        name for name, value in wanted["properties"].items() if (have.get(name.lower()) or False) != _plain(value)
    )


def _plain(value: Any) -> Any:
    """A value that is equal to another where both mean the same: names of properties have no case."""
    if isinstance(value, dict):
        return {str(name).lower(): _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, str) and value.startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
