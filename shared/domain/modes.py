"""Connectors of another mode: while some are left, no connector of this one is made beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from shared.domain.connectors import ENVIRONMENT_OF, Connector
from shared.domain.findings import MODE_SWITCH, Finding
from shared.domain.placement import is_organization_connector
from shared.domain.policy import Mode, Policy

_SHOWN = 3


def of_other_modes(policy: Policy, connectors: Iterable[Connector]) -> list[Connector]:
    """Connectors of ours that a policy of this mode would not make: members are none of mode `standalone`, and so on.

    Members of an Organization connector are the same in modes `member` and `native`. In both an account that is
    excluded, by the policy or by that connector, may have one of its own.
    """
    everything = [each for each in connectors if each.environment == ENVIRONMENT_OF[policy.provider]]
    ours = (each for each in everything if each.organization == policy.organization)
    standalone = policy.mode is Mode.STANDALONE
    others = [each for each in ours if bool(each.organizational_data) is standalone]
    if standalone or not others:
        return others
    excluded = policy.exclusions.account_ids.union(*(each.excluded_accounts for each in everything))
    return [each for each in others if each.hierarchy_identifier not in excluded]


def mode_switch(policy: Policy, others: Collection[Connector]) -> Finding | None:
    """Why nothing new is made while `others` are left; None where none is. An Organization connector is named first."""
    if not others:
        return None
    ordered = sorted(others, key=lambda each: (not is_organization_connector(each), str(each.connector_id)))
    named = ", ".join(str(each.connector_id) for each in ordered[:_SHOWN])
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return MODE_SWITCH.found(
        f"the policy's mode is {policy.mode}, but there are connectors of ours of another mode: {named}{more}"
    )
