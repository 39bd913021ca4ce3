"""Use cases that begin a sweep: asking for one, and cutting it into slices."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TypeVar

from shared.application.notify import undelivered_notices
from shared.application.plan import mode_switch_among
from shared.application.ports import Clock
from shared.application.side_by_side import side_by_side, streamed
from shared.application.sweep_ports import SliceSender, SweepPorts
from shared.application.sweep_store import SweepStore, find_latest, list_reported, list_runs
from shared.domain.accounts import Account, AccountState, Provider, unlisted_account
from shared.domain.connectors import ENVIRONMENT_OF, Connector
from shared.domain.exclusions import Exclusions, exclusions_of
from shared.domain.placement import is_ours
from shared.domain.policy import Policy, decide
from shared.domain.stack_sets import InstanceState
from shared.domain.sweep.coverage import AccountSubject
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.kinds import SWEEP_MISSED, SWEEP_UNFINISHED
from shared.domain.sweep.project_home import home_of_members
from shared.domain.sweep.report import RunFacts
from shared.domain.sweep.rights import scopes_of
from shared.domain.sweep.slices import MachineRef, Slice, cut_accounts, cut_machines
from shared.errors import RollcallError, TransientError
from shared.messages.faults import faults_of
from shared.messages.sweep_slice import PLANNING, SweepSlice

logger = logging.getLogger(__name__)
_Found = TypeVar("_Found")

MISSED_AFTER = timedelta(hours=26)
"""A daily sweep that began longer ago was followed by none."""
STILL_RUNNING = timedelta(hours=2)
"""A younger sweep may still come to its end."""
TOLD_FOR = timedelta(days=7)
"""For how long a sweep that never ended is told."""


def ask_for_sweep(slices: SliceSender, clock: Clock) -> SweepSlice:
    """Puts the message that a sweep begins with. Raises TransientError, ConfigurationError."""
    now = clock.now()
    message = SweepSlice(run=f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:8]}", slice=PLANNING, asked_at=now)
    slices.send_slice(message)
    return message


def plan_sweep(message: SweepSlice, ports: SweepPorts, *, tries_left: int) -> RunFacts:
    """Lists everything, cuts it into slices and puts a message for each that has no result yet.

    A second time it only puts messages. What cannot be listed is a gap of the report, but what may pass by itself is
    tried again while more than the last try is left, on which nothing is listed any more.
    Raises TransientError, ConfigurationError.
    """
    store = SweepStore(ports.documents, message.run)
    facts = store.find_facts()
    if facts is None:
        planned = _planned(message, store, ports, patient=tries_left > 1) if tries_left else None
        facts = planned or _given_up_planning(message, store, ports)
    left = sorted(set(range(1, facts.slices + 1)) - store.ended())
    side_by_side(lambda number: ports.slices.send_slice(message.model_copy(update={"slice": number})), left)
    return facts


def _planned(message: SweepSlice, store: SweepStore, ports: SweepPorts, *, patient: bool) -> RunFacts:
    policy, plan = ports.policy.current(), uuid.uuid4().hex
    listings = _Listings(policy, ports, patient=patient)
    slices = sum(1 for _ in streamed(lambda part: store.put_slice(part, plan), listings.slices()))
    facts = RunFacts(
        run=message.run,
        plan=plan,
        started_at=message.asked_at,
        policy_hash=policy.content_hash,
        slices=slices,
        gaps=tuple(listings.gaps),
        findings=(
            *_about_earlier_runs(message, ports),
            *undelivered_notices(policy.notifications, ports.documents),
        ),
    )
    return _first(facts, store)


def _given_up_planning(message: SweepSlice, store: SweepStore, ports: SweepPorts) -> RunFacts:
    gap = Gap(reason="the sweep could not be planned, as often as it was tried: see the log of sweep_slice")
    facts = RunFacts(run=message.run, started_at=message.asked_at, policy_hash="", slices=0, gaps=(gap,))
    logger.error("planning_given_up", extra={"run": message.run, "at": ports.clock.now().isoformat()})
    return _first(facts, store)


def _first(facts: RunFacts, store: SweepStore) -> RunFacts:
    """What counts of two planners' facts."""
    if store.put_facts(facts):
        return facts
    return store.find_facts() or facts


class _Listings:
    """The organizations of both clouds and the whole tenant; what could not be had is a gap."""

    def __init__(self, policy: Policy, ports: SweepPorts, *, patient: bool) -> None:
        self._policy = policy
        self._ports = ports
        self._patient = patient
        self._active: dict[Provider, frozenset[str]] = {}
        self._scopes: tuple[str, ...] = ()
        self.gaps: list[Gap] = []

    def slices(self) -> Iterator[Slice]:
        """All slices, numbered from 1. Pages follow each other: three listings side by side take as long as one.

        Those of machines come first: an account that is slow to answer about its instances is not to be what a sweep
        ends with. Before them all accounts have to be known.
        """
        connectors = self._had(lambda: tuple(self._ports.tenant.list_connectors()), None)
        self._scopes = _scopes(self._policy, connectors or ())
        with ThreadPoolExecutor(2, "listing") as beside:
            machines = beside.submit(
                copy_context().run, self._had, lambda: tuple(self._ports.tenant.list_machines()), Area.MACHINES
            )
            accounts = [*self._account_slices(connectors, beside), *self._project_slices(connectors)]
            parts = chain(self._machine_slices(machines), accounts, self._needs())
            yield from (replace(part, number=number) for number, part in enumerate(parts, start=1))

    def _account_slices(self, connectors: Sequence[Connector] | None, beside: Executor) -> Iterator[Slice]:
        instances = beside.submit(copy_context().run, self._had, self._ports.stack_instances.list_states, Area.COVERAGE)
        accounts = self._had(self._ports.listing.list_accounts, None)
        states = instances.result()
        if accounts is not None:
            self._active[Provider.AWS] = _active(accounts)
        if accounts is not None and connectors is not None:
            yield from _cut(self._policy, accounts, connectors, states)

    def _project_slices(self, connectors: Sequence[Connector] | None) -> Iterator[Slice]:
        """Nothing, and Google is not asked, where the policy says nothing about projects."""
        policy = self._policy.of(Provider.GCP)
        if policy is None:
            return
        projects = self._had(lambda: tuple(self._ports.google.projects().list_projects()), None)
        if projects is not None:
            self._active[Provider.GCP] = _active(projects)
        if projects is not None and connectors is not None:
            yield from _cut(policy, projects, connectors, None)

    def _machine_slices(self, listed: Future[tuple[MachineRef, ...] | None]) -> Iterator[Slice]:
        """Those of each cloud apart; of a cloud that the policy says nothing about, none are looked at."""
        found = listed.result() or ()
        for provider in Provider:
            if self._policy.of(provider) is None:
                continue
            active = self._active.get(provider)
            for cut in cut_machines(each for each in found if each.provider is provider):
                accounts = frozenset(each.account for each in cut)
                yield Slice(
                    number=0,
                    machines=tuple(each.machine_id for each in cut),
                    provider=provider,
                    unaskable=accounts - active if active is not None else frozenset(),
                )

    def _needs(self) -> Iterator[Slice]:
        """One that looks at what is needed where connectors stand, and one at what all members of GCP share."""
        yield Slice(number=0, scopes=self._scopes)
        projects = self._policy.of(Provider.GCP)
        shared = home_of_members(projects) if projects is not None else None
        if shared is not None:
            yield Slice(number=0, identities_of=shared.number)

    def _had(self, listing: Callable[[], _Found], area: Area | None) -> _Found | None:
        """What a listing came to; None where it failed, which the report says.

        Raises TransientError where there is time for another try.
        """
        try:
            return listing()
        except RollcallError as error:
            if self._patient and isinstance(error, TransientError):
                raise
            logger.error("sweep_listing_failed", extra={"reason": error.reason, "remedy": error.remedy})  # noqa: TRY400
            self.gaps.append(Gap(reason=error.reason, area=area))
            return None


def _active(accounts: Iterable[Account]) -> frozenset[str]:
    return frozenset(each.account_id for each in accounts if each.state is AccountState.ACTIVE)


def _scopes(policy: Policy, connectors: Sequence[Connector]) -> tuple[str, ...]:
    """Where connectors of accounts and projects stand, or should."""
    projects = policy.of(Provider.GCP)
    both = (*scopes_of(policy, connectors), *(scopes_of(projects, connectors) if projects is not None else ()))
    once = {scope.lower(): scope for scope in both}
    return tuple(once[lower] for lower in sorted(once))


def _cut(
    policy: Policy,
    accounts: Sequence[Account],
    connectors: Sequence[Connector],
    states: Mapping[str, InstanceState] | None,
) -> Iterator[Slice]:
    """The accounts of one cloud; without `states` nothing is said about stack instances."""
    known = states or {}
    subjects = [AccountSubject(account=each, instance=known.get(each.account_id)) for each in accounts]
    subjects += _unlisted(policy, {each.account_id for each in accounts}, connectors, known)
    switch = mode_switch_among(policy, accounts, connectors)
    for cut in cut_accounts(subjects):
        has_parent = any(each.account.account_id == policy.organization_account for each in cut)
        yield Slice(
            number=0,
            accounts=cut,
            provider=policy.provider,
            instances_read=states is not None,
            mode_switch=switch,
            exclusions=_exclusions(policy, accounts) if has_parent else Exclusions(),
        )


def _exclusions(policy: Policy, accounts: Iterable[Account]) -> Exclusions:
    """What the policy means for the Organization connector; nothing where tags would have to be read for it."""
    if policy.reads_tags:
        return Exclusions()
    return exclusions_of(policy, [(each, decide(policy, each)) for each in accounts])


def _unlisted(
    policy: Policy, listed: set[str], connectors: Iterable[Connector], states: Mapping[str, InstanceState]
) -> Iterator[AccountSubject]:
    """Accounts that nobody lists and that a connector of ours is left of."""
    environment = ENVIRONMENT_OF[policy.provider]
    left = {
        each.hierarchy_identifier for each in connectors if each.environment == environment and is_ours(each, policy)
    }
    for account_id in sorted(left - listed):
        account = unlisted_account(account_id, policy.provider)
        yield AccountSubject(account=account, listed=False, instance=states.get(account_id))


def _ask_for_report(run: str, ports: SweepPorts) -> None:
    """Where a run lacks nothing but its report: a message for who was to make it, with tries and time of its own."""
    store = SweepStore(ports.documents, run)
    facts = store.find_facts()
    if facts is not None and store.have_all_ended(facts.slices):
        number = store.find_reporter() or facts.slices
        ports.slices.send_slice(SweepSlice(run=run, slice=number, asked_at=facts.started_at))


def _about_earlier_runs(message: SweepSlice, ports: SweepPorts) -> Iterator[SweepFinding]:
    """Runs of the last days that never came to their end, and days without one."""
    oldest, youngest = (f"{message.asked_at - ago:%Y%m%dT%H%M%SZ}" for ago in (TOLD_FOR, STILL_RUNNING))
    reported = list_reported(ports.documents)
    for run in list_runs(ports.documents):
        if oldest <= run < min(youngest, message.run) and run not in reported:
            try:
                _ask_for_report(run, ports)
            except ValueError as error:  # its documents cannot be read: that is its own trouble and told below
                logger.error("run_unreadable", extra={"run": run, "reason": faults_of(error)})  # noqa: TRY400 - one line
            yield SWEEP_UNFINISHED.about(f"sweep/{run}", f"the sweep {run} has not come to its end")
    latest, _ = find_latest(ports.documents)
    if latest is not None and message.asked_at - latest.started_at > MISSED_AFTER:
        hours = (message.asked_at - latest.started_at).total_seconds() / 3600
        yield SWEEP_MISSED.about("sweep", f"the sweep before began {hours:.0f} hours earlier")
