"""What became of instances, asked in the cloud that they are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.application.sweep_ports import SweepPorts
from shared.domain.accounts import Provider
from shared.domain.sweep.machines import InstanceState

Known = Mapping[tuple[str, str], InstanceState]
"""By account and by the instance's id or name."""


def states_of(provider: Provider, account: str, wanted: Sequence[str], ports: SweepPorts) -> Known:
    """What these instances of an account or project are; EC2 is asked where the policy says that instances may be.

    Raises TransientError, PermanentError, ConfigurationError where they cannot be asked for.
    """
    if provider is Provider.GCP:
        found = ports.google.instances().states_of(account, wanted)
    else:
        found = ports.instances.states_of(account, wanted, ports.policy.current().sweep.instance_regions)
    return {(account, instance): state for instance, state in found.items()}
