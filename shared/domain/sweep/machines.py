"""Arc machines that Defender onboarded: which are in order, which are suspect, and which may be deleted.

Source: tags that Defender for Cloud gives to EC2 machines (AccountId, Cloud, InstanceId, MDFCSecurityConnector) and
the multicloud connector's (PublicCloudConnectorsResourceId); Microsoft.HybridCompute/machines, `status`,
`lastStatusChange`. Defender itself removes machines seven days after their instance vanished.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain.accounts import is_account_id
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import (
    MACHINE_DISCONNECTED,
    MACHINE_DUPLICATE,
    MACHINE_ORPHANED,
    MACHINE_TAGS_MISSING,
)

DEFENDERS_TAG = "mdfcsecurityconnector"
MULTICLOUD_TAG = "publiccloudconnectorsresourceid"
_NEEDED = {
    "accountid": "AccountId",
    "cloud": "Cloud",
    "instanceid": "InstanceId",
    DEFENDERS_TAG: "MDFCSecurityConnector",
}
_INSTANCE = re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})")
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
    """One machine as it is now. `tags` by their names in lower case; `status` in Arc's own words."""

    machine_id: str
    status: str
    status_since: datetime | None
    tags: Mapping[str, str]

    @property
    def account(self) -> str:
        """The account that its instance lives in; empty where the tag is missing."""
        return self.tags.get("accountid", "")

    @property
    def instance(self) -> str:
        """The id of its instance; empty where the tag is missing."""
        return self.tags.get("instanceid", "")

    @property
    def can_be_asked_for(self) -> bool:
        """Whether its tags name an account and an instance as AWS writes them: what AWS never wrote is never found."""
        return is_account_id(self.account) and _INSTANCE.fullmatch(self.instance) is not None

    @property
    def is_beyond_doubt(self) -> bool:
        """Whether it has every tag of Defender's, and the name that Defender gives: its instance's id."""
        tagged = all(self.tags.get(tag) for tag in _NEEDED) and self.tags["cloud"] == "AWS"
        return tagged and self.can_be_asked_for and self.machine_id.rpartition("/")[2] == self.instance

    @property
    def is_defenders(self) -> bool:
        """Whether Defender onboarded it, from AWS; what the multicloud connector has made is none of ours."""
        return is_defenders(self.tags)

    def is_silent(self, now: datetime, limit: timedelta) -> bool:
        """Whether it has been disconnected or expired for longer than the limit."""
        long_ago = self.status_since is not None and now - self.status_since >= limit
        return self.status.lower() in _SILENT and long_ago


def is_defenders(tags: Mapping[str, str]) -> bool:
    """Whether these tags, by names in lower case, are those of a machine that Defender onboarded from AWS."""
    return DEFENDERS_TAG in tags and MULTICLOUD_TAG not in tags and tags.get("cloud", "AWS").upper() == "AWS"


def suspects(machines: Iterable[ArcMachine], now: datetime, limit: timedelta) -> dict[str, set[str]]:
    """The instances that their own cloud has to be asked for: account → instance ids."""
    found: dict[str, set[str]] = defaultdict(set)
    for machine in machines:
        if machine.is_defenders and machine.is_silent(now, limit) and machine.can_be_asked_for:
            found[machine.account].add(machine.instance)
    return dict(found)


def machine_findings(
    machines: Sequence[ArcMachine],
    states: Mapping[tuple[str, str], InstanceState],
    now: datetime,
    limit: timedelta,
    *,
    unasked: frozenset[str] = frozenset(),
) -> Iterator[SweepFinding]:
    """What is wrong with machines of Defender's; `states` by account and instance, for the suspects.

    Of accounts `unasked`, which gave no answer, silent machines stay what they were called before.
    """
    ours = [machine for machine in machines if machine.is_defenders]
    for machine in ours:
        missing = [name for tag, name in _NEEDED.items() if not machine.tags.get(tag)]
        if missing:
            yield MACHINE_TAGS_MISSING.about(
                machine.machine_id, f"it lacks the tags {', '.join(missing)}", account=machine.account
            )
        if machine.is_silent(now, limit) and machine.account not in unasked:
            state = states.get((machine.account, machine.instance), InstanceState.UNKNOWN)
            yield _silent(machine, state, now)
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
    return kind.about(subject, f"{since}; {told[state]}", account=machine.account, evidence=evidence)


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
            yield MACHINE_DUPLICATE.about(f"{account}/{instance}", reason, account=account, evidence=evidence)
