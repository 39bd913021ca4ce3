"""A policy is looked at before it is published: its mode has to agree with the connectors that there are."""

from __future__ import annotations

from shared.application.ports import TenantSnapshot
from shared.domain.findings import Finding
from shared.domain.modes import mode_switch, of_other_modes
from shared.domain.policy import Policy


def find_mode_switch(policy: Policy, snapshot: TenantSnapshot) -> Finding | None:
    """Why the policy would keep new accounts from being connected; None where connectors of its own mode stand only.

    Who is excluded is known by id alone: from the policy, and from Organization connectors.
    Raises TransientError, ConfigurationError.
    """
    return mode_switch(policy, of_other_modes(policy, snapshot.list_all()))
