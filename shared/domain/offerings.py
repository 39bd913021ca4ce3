"""The offerings of an AWS connector, as api-version 2024-08-01-preview spells them.

Source: Microsoft.Security/securityConnectors 2024-08-01-preview, definitions `CspmMonitorAwsOffering` and
`DefenderCspmAwsOffering`; role names as in the template that Defender for Cloud generates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.domain.policy import Plan, Profile

Offering = dict[str, Any]
"""One entry of `properties.offerings`, a JSON body of Resource Manager."""

CSPM_MONITOR_ROLE = "CspmMonitorAws"
AGENTLESS_SCANNER_ROLE = "DefenderForCloud-AgentlessScanner"
SENSITIVE_DATA_ROLE = "SensitiveDataDiscovery"
DATABASES_DSPM_ROLE = "DefenderForCloud-DataSecurityPostureDB"
IMAGE_ASSESSMENT_ROLE = "MDCContainersImageAssessmentRole"
AGENTLESS_K8S_ROLE = "MDCContainersAgentlessDiscoveryK8sRole"

_ROLES: dict[Plan, tuple[str, ...]] = {
    Plan.FOUNDATIONAL_CSPM: (CSPM_MONITOR_ROLE,),
    Plan.DEFENDER_CSPM: (
        AGENTLESS_SCANNER_ROLE,
        SENSITIVE_DATA_ROLE,
        DATABASES_DSPM_ROLE,
        IMAGE_ASSESSMENT_ROLE,
        AGENTLESS_K8S_ROLE,
    ),
}


def role_arn(account_id: str, role_name: str) -> str:
    """The ARN of a role in the commercial partition, the only one that Defender for Cloud supports."""
    return f"arn:aws:iam::{account_id}:role/{role_name}"


def roles_of(profile: Profile) -> tuple[str, ...]:
    """The names of the roles that a profile's offerings refer to."""
    return tuple(role for plan in Plan if plan in profile.plans for role in _ROLES[plan])


def offerings_of(profile: Profile, account_id: str) -> list[Offering]:
    """The offerings that give `account_id` the plans of `profile`, in the order of `Plan`."""
    return [_BUILDERS[plan](account_id) for plan in Plan if plan in profile.plans]


def _foundational_cspm(account_id: str) -> Offering:
    return {
        "offeringType": Plan.FOUNDATIONAL_CSPM.value,
        "nativeCloudConnection": {"cloudRoleArn": role_arn(account_id, CSPM_MONITOR_ROLE)},
    }


def _defender_cspm(account_id: str) -> Offering:
    def enabled(role: str) -> Offering:
        return {"enabled": True, "cloudRoleArn": role_arn(account_id, role)}

    return {
        "offeringType": Plan.DEFENDER_CSPM.value,
        "vmScanners": enabled(AGENTLESS_SCANNER_ROLE) | {"configuration": {"scanningMode": "Default"}},
        "dataSensitivityDiscovery": enabled(SENSITIVE_DATA_ROLE),
        "databasesDspm": enabled(DATABASES_DSPM_ROLE),
        "mdcContainersImageAssessment": enabled(IMAGE_ASSESSMENT_ROLE),
        "mdcContainersAgentlessDiscoveryK8s": enabled(AGENTLESS_K8S_ROLE),
    }


_BUILDERS: dict[Plan, Callable[[str], Offering]] = {
    Plan.FOUNDATIONAL_CSPM: _foundational_cspm,
    Plan.DEFENDER_CSPM: _defender_cspm,
}
