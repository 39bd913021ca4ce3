"""How a sweep is cut into slices of about a hundred subjects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from shared.domain.accounts import Provider
from shared.domain.exclusions import Exclusions
from shared.domain.findings import Finding
from shared.domain.sweep.coverage import AccountSubject

SUBJECTS = 100
"""Subjects of one slice."""
MOST_TIME = timedelta(seconds=240)
"""For how long one message asks accounts, or deletes: a function has ten minutes, of which the rest needs some."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MachineRef:
    """An Arc machine, and the instance that it stands for; the planner holds all of them at once."""

    machine_id: str
    account: str = ""
    instance: str = ""
    provider: Provider = Provider.AWS


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What one slice looks at, counted from 1: accounts, or machines by their ids, or `scopes`: what we need there.

    Or `identities_of`: the GCP project, by number, whose identities all members share.

    Its accounts, and its machines, are all of one cloud, `provider`: AWS accounts, or GCP projects, for which
    `instances_read` is False.

    `unaskable` are accounts of machines that the organization does not list as active: they are not asked for
    instances. `instances_read` says whether the accounts' stack instances could be listed; `mode_switch` why nothing
    new is made. `exclusions` is what the policy means for the Organization connector, where its account is in the
    slice.
    """

    number: int
    accounts: tuple[AccountSubject, ...] = ()
    machines: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    identities_of: str = ""
    provider: Provider = Provider.AWS
    unaskable: frozenset[str] = frozenset()
    instances_read: bool = True
    mode_switch: Finding | None = None
    exclusions: Exclusions = field(default_factory=Exclusions)


def cut_accounts(subjects: Sequence[AccountSubject], size: int = SUBJECTS) -> Iterator[tuple[AccountSubject, ...]]:
    """Accounts in the order of their ids, so many at a time."""
    ordered = sorted(subjects, key=lambda subject: subject.account.account_id)
    return (tuple(ordered[first : first + size]) for first in range(0, len(ordered), size))


def cut_machines(machines: Iterable[MachineRef], size: int = SUBJECTS) -> Iterator[tuple[MachineRef, ...]]:
    """Machines of one cloud by account and instance, so many at a time; those of one instance are never parted."""
    current: list[MachineRef] = []
    last: tuple[str, str] | None = None
    for machine in sorted(machines, key=lambda each: (each.account, each.instance, each.machine_id)):
        instance = (machine.account, machine.instance)
        together = instance == last and "" not in instance
        if len(current) >= size and not together:
            yield tuple(current)
            current = []
        current.append(machine)
        last = instance
    if current:
        yield tuple(current)
