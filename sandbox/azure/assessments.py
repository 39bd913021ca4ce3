"""Microsoft.Security/assessments of AWS and GCP resources, as far as Resource Graph shows them.

Source: envelope and `resourceDetails.Source`, `Id` as recorded for Azure's own resources (API version 2020-01-01); the
id below the connector as Microsoft's pages on sub-assessments show it; `ResourceType` as people have measured it. Of
GCP only the beginning of ids is known, `gcp-instances` and `gcp-clusters-` in public queries. `metadata.severity` is in
Microsoft's sample queries of Resource Graph.
"""

from __future__ import annotations

from typing import Literal

from sandbox.azure.resources import Document

TYPE = "Microsoft.Security/assessments"
Status = Literal["Healthy", "Unhealthy", "NotApplicable"]
Source = Literal["AWS", "GCP"]
Severity = Literal["Low", "Medium", "High", "Critical"]


def assessment_of(  # noqa: PLR0913 - the parts of an assessment
    connector_id: str,
    resource: str,
    resource_type: str,
    *,
    key: str,
    status: Status,
    source: Source = "AWS",
    severity: Severity = "Medium",
    title: str = "",
) -> Document:
    """What the recommendation `key` says of a resource, such as `ec2-instance-i-0123456789abcdef0-us-east-1`."""
    resource_id = f"{connector_id}/securityentitydata/{source.lower()}-{resource}"
    return {
        "id": f"{resource_id}/providers/{TYPE}/{key}",
        "name": key,
        "type": TYPE,
        "properties": {
            "resourceDetails": {
                "Source": source,
                "Id": resource_id,
                "ResourceType": f"microsoft.security/securityconnectors/{resource_type}",
            },
            "displayName": title or key,
            "status": {"code": status, "cause": "", "description": ""},
            "additionalData": {},
            "metadata": {"severity": severity},
        },
    }
