"""What Defender for Cloud makes of what it discovered: vulnerabilities, attack paths, the state of standards.

Source: sub-assessments of AWS and GCP and their `resourceDetails`, whose keys begin in lower case there, as Microsoft's
page on container vulnerability assessments shows answers of Resource Graph; the state of standards as recorded (API
version 2019-01-01-preview); attack paths: Microsoft's table of their fields, `riskLevel` and the identifiers of
entities as people have measured them. What the id of an attack path looks like is not public.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Literal

from sandbox.azure.assessments import TYPE as ASSESSMENTS
from sandbox.azure.assessments import Severity, Source, Status
from sandbox.azure.resources import Document

ATTACK_PATHS = "Microsoft.Security/attackPaths"
STANDARDS = "Microsoft.Security/regulatoryComplianceStandards"
VULNERABILITIES = f"{ASSESSMENTS}/subAssessments"
State = Literal["Passed", "Failed", "Skipped", "Unsupported"]
_KEYS = uuid.UUID("c4c2bb2e-0b43-4f0f-8d6b-2a7f2a3d8f55")


def vulnerability_of(  # noqa: PLR0913 - the parts of a sub-assessment
    parent: str,
    *,
    key: str,
    cve: str,
    severity: Severity,
    status: Status,
    source: Source | Literal["Azure"],
    assessed: str,
) -> Document:
    """A vulnerability that the recommendation `key` has found on the resource with the id `parent`."""
    name = str(uuid.uuid5(_KEYS, f"{parent} {key} {cve}".lower()))
    return {
        "id": f"{parent}/providers/{ASSESSMENTS}/{key}/subassessments/{name}",
        "name": name,
        "type": VULNERABILITIES,
        "properties": {
            "id": cve,
            "displayName": cve,
            "resourceDetails": {"id": parent, "source": source.capitalize()},
            "additionalData": {"assessedResourceType": assessed},
            "status": {"code": status, "severity": severity},
        },
    }


def attack_path_of(subscription_id: str, title: str, *, risk: str, entities: Sequence[str]) -> Document:
    """A path over resources with these ids; an empty one is something without an id, such as the internet."""
    name = str(uuid.uuid5(_KEYS, f"{subscription_id} {title} {' '.join(entities)}".lower()))
    return {
        "id": f"/subscriptions/{subscription_id}/providers/{ATTACK_PATHS}/{name}",
        "name": name,
        "type": ATTACK_PATHS,
        "properties": {
            "displayName": title,
            "attackPathType": title,
            "riskLevel": risk,
            "graphComponent": {
                "entities": [
                    {
                        "entityInternalID": str(number),
                        "entityIdentifiers": {"azureResourceId": each} if each else {},
                    }
                    for number, each in enumerate(entities)
                ],
                "connections": [],
                "insights": [],
            },
        },
    }


def standard_state_of(subscription_id: str, name: str, *, state: State, controls: Sequence[int]) -> Document:
    """How far a standard is fulfilled: controls that passed, failed, were skipped, are not supported."""
    passed, failed, skipped, unsupported = controls
    return {
        "id": f"/subscriptions/{subscription_id}/providers/{STANDARDS}/{name}",
        "name": name,
        "type": STANDARDS,
        "properties": {
            "state": state,
            "passedControls": passed,
            "failedControls": failed,
            "skippedControls": skipped,
            "unsupportedControls": unsupported,
        },
    }
