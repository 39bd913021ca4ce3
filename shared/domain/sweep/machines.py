"""Arc machines that Defender onboarded: which are in order, which are suspect, and which may be deleted.

Source: Microsoft.HybridCompute/machines, `status`, `lastStatusChange`, `cloudMetadata.provider`. Defender itself
removes machines seven days after their instance vanished. How it marks them: `machine_marks`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.accounts import Provider
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import (
    MACHINE_DISCONNECTED,
    MACHINE_DUPLICATE,
    MACHINE_ORPHANED,
    MACHINE_TAGS_MISSING,
)
from shared.domain.sweep.machine_marks import MARKS, Marks, cloud_of, is_defenders

_SILENT = {"disconnected", "expired"}
"""`Expired` stands in no published list of states, and in data."""


class InstanceState(StrEnum):
    """What the instance behind a machine is, as its own cloud says.

    `gone`: terminated, or not there in any region of its account; `unknown`: nobody could tell.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class ArcMachine:
    """One machine as it is now. `tags` by their names in lower case; `status` in Arc's own words.

    `detected` is the cloud that its agent has found itself in, in Arc's words; empty where it does not tell.
    """

    machine_id: str
    status: str
    status_since: datetime | None
    tags: Mapping[str, str]
    detected: str = ""

    @property
    def provider(self) -> Provider:
        """The cloud that its tags name; AWS where they name none that is looked at."""
        return cloud_of(self.tags) or Provider.AWS

    @property
    def marks(self) -> Marks:
        """How machines of its cloud are marked."""
        return MARKS[self.provider]

    @property
    def account(self) -> str:
        """The account, or the project's number, that its instance lives in; empty where the tag is missing."""
        return self.tags.get(self.marks.account, "")

    @property
    def instance(self) -> str:
        """The id of its instance; empty where the tag is missing."""
        return self.tags.get(self.marks.instance, "")

    @property
    def names(self) -> tuple[str, ...]:
        """What its cloud is asked for: the instance's id, and its name where the machine has that, too."""
        return tuple(each for each in (self.instance, self.tags.get(self.marks.name, "")) if each)

    @property
    def can_be_asked_for(self) -> bool:
        """Whether its tags name an account and an instance as their cloud writes them: else nothing is ever found."""
        account, instance = self.marks.accounts, self.marks.instances
        return account.fullmatch(self.account) is not None and instance.fullmatch(self.instance) is not None

    @property
    def is_beyond_doubt(self) -> bool:
        """Whether it has every tag of Defender's, is called as its instance, and nothing speaks for another cloud.

        Defender calls machines of AWS by the instance's id. How it calls those of GCP is not published: one that is
        called neither by the instance's id nor by its name is in doubt.
        """
        needed = self.marks.needed
        tagged = all(self.tags.get(tag) for tag in needed) and self.tags["cloud"] == self.marks.cloud
        others = {marks.cloud for marks in MARKS.values()} - {self.marks.cloud}
        called = self.machine_id.rpartition("/")[2] in self.names
        return tagged and self.can_be_asked_for and called and self.detected.upper() not in others

    @property
    def is_defenders(self) -> bool:
        """Whether Defender onboarded it; what the multicloud connector has made is none of ours."""
        return is_defenders(self.tags)

    def is_silent(self, now: datetime, limit: timedelta) -> bool:
        """Whether it has been disconnected or expired for longer than the limit."""
        long_ago = self.status_since is not None and now - self.status_since >= limit
        return self.status.lower() in _SILENT and long_ago


def suspects(machines: Iterable[ArcMachine], now: datetime, limit: timedelta) -> dict[str, set[str]]:
    """What their own cloud, which is one for all, has to be asked for: account → ids and names of instances."""
    found: dict[str, set[str]] = defaultdict(set)
    for machine in machines:
        if machine.is_defenders and machine.is_silent(now, limit) and machine.can_be_asked_for:
            found[machine.account].update(machine.names)
    return dict(found)


def state_behind(machine: ArcMachine, states: Mapping[tuple[str, str], InstanceState]) -> InstanceState:
    """What the machine's instance is; `states` by account and by the instance's id or name.

    Where its tags name none, or another instance has its name by now, nobody can tell.
    """
    if not machine.can_be_asked_for:
        return InstanceState.UNKNOWN
    found = [states.get((machine.account, each), InstanceState.UNKNOWN) for each in machine.names]
    in_doubt = found[0] is InstanceState.GONE and set(found) != {InstanceState.GONE}
    return InstanceState.UNKNOWN if in_doubt else found[0]


def machine_findings(
    machines: Sequence[ArcMachine],
    states: Mapping[tuple[str, str], InstanceState],
    now: datetime,
    limit: timedelta,
    *,
    unasked: frozenset[str] = frozenset(),
) -> Iterator[SweepFinding]:
    """What is wrong with machines of Defender's, all of one cloud; `states` as in `state_behind`, of the suspects.

    Of accounts `unasked`, which gave no answer, silent machines stay what they were called before.
    """
    ours = [machine for machine in machines if machine.is_defenders]
    for machine in ours:
        missing = [name for tag, name in machine.marks.needed.items() if not machine.tags.get(tag)]
        if missing:
            reason = f"it lacks the tags {', '.join(missing)}"
            yield MACHINE_TAGS_MISSING.about(
                machine.machine_id,
                reason,
                account=machine.account,
                provider=machine.provider,
                link=machine.marks.link,
            )
        if machine.is_silent(now, limit) and machine.account not in unasked:
            yield _silent(machine, state_behind(machine, states), now)
    yield from _duplicates(ours)


def _silent(machine: ArcMachine, state: InstanceState, now: datetime) -> SweepFinding:
    days = (now - machine.status_since).days if machine.status_since is not None else 0
    since = f"it has been {machine.status} for {days} days"
    evidence = {
        "machine": machine.machine_id,
        "status": machine.status,
        "status_since": machine.status_since.isoformat() if machine.status_since is not None else "",
        "instance": machine.instance,
        "instance_state": str(state),
    }
    kind = MACHINE_ORPHANED if state is InstanceState.GONE else MACHINE_DISCONNECTED
    subject = machine.machine_id
    if kind is MACHINE_ORPHANED:  # with another instance, or silent since another time, it is another finding
        subject = f"{subject}#{machine.instance}@{evidence['status_since']}"
        evidence["beyond_doubt"] = "yes" if machine.is_beyond_doubt else "no"
    told = {
        InstanceState.GONE: "its instance is gone",
        InstanceState.STOPPED: "its instance is stopped",
        InstanceState.RUNNING: "its instance is running",
        InstanceState.UNKNOWN: "whether its instance is there could not be told",
    }
    link = machine.marks.link if kind is MACHINE_ORPHANED else ""
    return kind.about(
        subject,
        f"{since}; {told[state]}",
        account=machine.account,
        provider=machine.provider,
        link=link,
        evidence=evidence,
    )


def _duplicates(machines: Iterable[ArcMachine]) -> Iterator[SweepFinding]:
    by_instance: dict[tuple[str, str], list[ArcMachine]] = defaultdict(list)
    for machine in machines:
        if machine.account and machine.instance:
            by_instance[machine.account, machine.instance].append(machine)
    for (account, instance), found in by_instance.items():
        if len(found) > 1:
            ids = sorted(machine.machine_id for machine in found)
            evidence = {machine.machine_id: machine.status for machine in found}
            reason = f"{len(ids)} machines stand for instance {instance}"
            subject = found[0].marks.subject.format(account=account, instance=instance)
            yield MACHINE_DUPLICATE.about(
                subject, reason, account=account, provider=found[0].provider, evidence=evidence
            )
