"""Targets: where in Azure connectors are placed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Target:
    """A place for connectors. Source: securityConnectors, api-version 2024-08-01-preview."""

    subscription_id: str
    resource_group: str
    location: str
