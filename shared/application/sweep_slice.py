"""Use case of `functions/sweep_slice`: one slice of a sweep is looked at, and the last one makes the report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta

from shared.application.ask_instances import Known, states_of
from shared.application.diagnose_projects import shared_findings
from shared.application.merge_sweep import merge_if_last
from shared.application.plan_sweep import plan_sweep
from shared.application.sweep_accounts import SweptAccounts
from shared.application.sweep_ports import SweepPorts
from shared.application.sweep_prerequisites import SweptPrerequisites
from shared.application.sweep_store import SweepStore
from shared.domain.accounts import Provider
from shared.domain.sweep.findings import Area, Gap, SweepFinding
from shared.domain.sweep.machines import InstanceState, machine_findings, suspects
from shared.domain.sweep.report import SliceResult, SweepReport
from shared.domain.sweep.slices import MOST_TIME, Slice
from shared.errors import PermanentError, RollcallError
from shared.messages.sweep_slice import PLANNING, SweepSlice

logger = logging.getLogger(__name__)

WITHOUT_BILLING = "gcp-billing-off"
"""The key of Google's refusal for a project that nobody pays for (docs/runbook.md)."""


def sweep_slice(message: SweepSlice, ports: SweepPorts, *, tries_left: int = 4) -> SweepReport | None:
    """Does one slice, or plans all; the report where this was the last. Raises TransientError, ConfigurationError.

    The last try does no more of the work, whatever the others failed of: a kill leaves no error. It says what was not
    looked at, so that the sweep comes to its end.
    """
    if message.slice == PLANNING:
        facts = plan_sweep(message, ports, tries_left=tries_left)
        return merge_if_last(message.run, ports) if facts.slices == 0 else None
    store = SweepStore(ports.documents, message.run)
    if store.find_result(message.slice) is None:
        store.put_result(_result(message, store, ports) if tries_left else _given_up(message, store))
    return merge_if_last(message.run, ports, just=message.slice)


def _result(message: SweepSlice, store: SweepStore, ports: SweepPorts) -> SliceResult:
    part = _part(message, store)
    if part is None:
        return _given_up(message, store)
    try:
        return _looked_at(part, message, ports)
    except PermanentError as error:
        logger.error("slice_failed", extra={"run": message.run, "slice": message.slice, "reason": error.reason})  # noqa: TRY400
        return SliceResult(number=message.slice, gaps=tuple(_lost(part, error.reason)))


def _part(message: SweepSlice, store: SweepStore) -> Slice | None:
    facts = store.find_facts()
    return store.find_slice(message.slice, facts.plan) if facts is not None else None


def _given_up(message: SweepSlice, store: SweepStore) -> SliceResult:
    reason = f"slice {message.slice} was given up: see the log of sweep_slice, run {message.run}"
    try:
        part = _part(message, store)
    except ValueError:  # a document that cannot be read, which pydantic says so
        part = None
    logger.error("slice_given_up", extra={"run": message.run, "slice": message.slice})
    gaps = _lost(part, reason) if part is not None else [Gap(reason=reason)]
    return SliceResult(number=message.slice, gaps=tuple(gaps))


def _lost(part: Slice, reason: str) -> Iterator[Gap]:
    """What a slice that could not be looked at leaves unseen."""
    for subject in part.accounts:
        yield Gap(reason=reason, account=subject.account.account_id)
    if part.machines:
        yield Gap(reason=reason, area=Area.MACHINES)
    if part.scopes:
        yield Gap(reason=reason, area=Area.PREREQUISITES)
    if part.identities_of:
        yield Gap(reason=reason, area=Area.PREREQUISITES, account=part.identities_of)


def _looked_at(part: Slice, message: SweepSlice, ports: SweepPorts) -> SliceResult:
    """A slice is of one kind."""
    if part.accounts:
        return _accounts(part, message, ports)
    looked: dict[str, int] = {}
    found: Sequence[SweepFinding] = ()
    gaps: Sequence[Gap] = ()
    if part.machines:
        found, gaps, looked["machines"] = _machines(part, ports)
    elif part.scopes:
        needed = SweptPrerequisites(part, ports)
        needed.look()
        found, gaps = needed.findings, needed.gaps
    elif part.identities_of:
        found, gaps = shared_findings(ports.policy.current(), ports.google)
    return SliceResult(number=part.number, findings=tuple(found), gaps=tuple(gaps), looked=looked)


def _accounts(part: Slice, message: SweepSlice, ports: SweepPorts) -> SliceResult:
    accounts = SweptAccounts(part, message, ports)
    findings = tuple(accounts.findings())
    return SliceResult(
        number=part.number,
        findings=findings,
        gaps=tuple(accounts.gaps),
        looked=accounts.looked,
        asked=tuple(accounts.asked),
        names=accounts.names,
        discovered=dict(accounts.discovered),
        plans=accounts.plans,
    )


def _machines(part: Slice, ports: SweepPorts) -> tuple[list[SweepFinding], list[Gap], int]:
    """What is found about machines, which accounts gave no answer, and how many machines there are."""
    machines, now = ports.tenant.machines(part.machines), ports.clock.now()
    limit = timedelta(days=ports.policy.current().sweep.orphaned_after_days)
    states: dict[tuple[str, str], InstanceState] = {}
    gaps: list[Gap] = []
    wanted = suspects(machines, now, limit)
    for account in sorted(wanted.keys() - part.unaskable):
        if ports.clock.now() - now > MOST_TIME:
            gaps.append(Gap(reason="the time of a slice was over", area=Area.MACHINES, account=account))
            continue
        answer, gap = _states_of(part.provider, account, sorted(wanted[account]), ports)
        states |= answer
        gaps += [gap] if gap is not None else []
    unasked = frozenset(gap.account for gap in gaps if not gap.told)
    return list(machine_findings(machines, states, now, limit, unasked=unasked)), gaps, len(machines)


def _states_of(provider: Provider, account: str, wanted: Sequence[str], ports: SweepPorts) -> tuple[Known, Gap | None]:
    """What instances are; nothing, and a gap, where their account cannot be asked: no answer is not `gone`.

    Without billing instances are stopped, and nobody is told of them: each silent machine is a finding that says so,
    which holds up no other account.
    """
    try:
        return states_of(provider, account, wanted, ports), None
    except RollcallError as error:
        logger.warning("instances_unknown", extra={"hierarchy_identifier": account, "reason": error.reason})
        told = error.key == WITHOUT_BILLING
        return {}, Gap(reason=error.reason, area=Area.MACHINES, account=account, told=told)
