"""Standards and governance rules of connectors, against what the profile asks for.

The sweep knows a standard by its name only: which id it has is listed for each connector apart. An assignment stands
for a standard if it shows the standard's name, or if it assigns what an assignment of Rollcall's own making, which
always shows the standard's name, assigns to another connector that is looked at.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from shared.domain.accounts import Provider
from shared.domain.aftercare import aftercare_digest, assignment_id, rule_body, rule_differences, rule_id
from shared.domain.connectors import ConnectorId
from shared.domain.ledger import State
from shared.domain.policy import Mode, Policy, Verdict, decide
from shared.domain.preview import Action
from shared.domain.profiles import Profile
from shared.domain.sweep.coverage import SETTLING, Looked
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import GOVERNANCE_DRIFTED, STANDARD_UNASSIGNED
from shared.domain.sweep.refused import names_refusal

_OWNER = "ownerSource"
_ADDRESS = re.compile(r"[^@\s*]+@[^@\s*]+")


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A standard's assignment to a connector, by its own name, a GUID; `standard` is the standard's id."""

    connector: ConnectorId
    name: str
    standard: str
    display_name: str

    @property
    def is_ours(self) -> bool:
        """Whether Rollcall made it: its name follows from connector and standard."""
        return self.name.lower() == assignment_id(self.connector, self.standard)

    @property
    def key(self) -> str:
        """The standard's own GUID, which is the same below each connector."""
        return self.standard.rpartition("/")[2].lower()


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A connector whose standards and rules should be there.

    `reason` and `remedy` are the ledger's, where what follows the connector was tried and refused.
    """

    connector_id: ConnectorId
    account: str
    provider: Provider
    profile: Profile
    reason: str = ""
    remedy: str = ""


def kept(looked: Looked, policy: Policy, now: datetime) -> Kept | None:
    """The account's connector, where by now everything that follows it should be there; else None.

    The ledger has to say that it was seen to, or that this was tried under the policy in force; and the connector has
    to be older than Resource Graph may lag behind. Until then nothing is missed.
    """
    planned, record = looked.planned, looked.record
    if planned.action not in {Action.UNCHANGED, Action.CHANGE} or planned.connector_id is None:
        return None
    decision = decide(policy, looked.subject.account)
    digest = aftercare_digest(decision.profile)
    if policy.mode is Mode.NATIVE or decision.verdict is not Verdict.INCLUDE or not digest:
        return None
    if record is None or record.state is not State.CONNECTED:
        return None
    was_seen_to = digest == record.aftercare
    if not was_seen_to and policy.content_hash != record.policy_hash:
        return None
    if record.connected_at is not None and now - record.connected_at < SETTLING:
        return None
    connector = Kept(
        connector_id=planned.connector_id,
        account=looked.account_id,
        provider=looked.provider,
        profile=decision.profile,
    )
    told = not was_seen_to or names_refusal(record)
    return replace(connector, reason=record.reason, remedy=record.remedy) if told else connector


def named_standards(assignments: Iterable[Assignment]) -> Mapping[str, frozenset[str]]:
    """Names of standards, folded, and the keys that Rollcall found under them when it assigned them."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in assignments:
        if each.is_ours:
            found[each.display_name.casefold()].add(each.key)
    return {name: frozenset(keys) for name, keys in found.items()}


def standard_findings(
    connector: Kept, assigned: Sequence[Assignment], named: Mapping[str, frozenset[str]]
) -> Iterator[SweepFinding]:
    """Each standard of the profile that is not assigned to the connector, whoever should have done it."""
    for name in connector.profile.standards:
        wanted, keys = name.casefold(), named.get(name.casefold(), frozenset())
        if any(each.display_name.casefold() == wanted or each.key in keys for each in assigned):
            continue
        yield STANDARD_UNASSIGNED.about(
            f"{connector.connector_id}#{name}",
            f"the standard {name} is not assigned to it",
            account=connector.account,
            provider=connector.provider,
            remedy=connector.remedy,
            evidence=_told(connector, assigned=", ".join(sorted(each.display_name for each in assigned))),
        )


def rule_findings(connector: Kept, rules: Mapping[str, Mapping[str, Any]]) -> Iterator[SweepFinding]:
    """Each governance rule of the profile that is missing or says something else; `rules` by their GUID, folded."""
    for rule in connector.profile.governance:
        actual, wanted = rules.get(rule_id(connector.connector_id, rule)), rule_body(rule)
        if actual is None:
            wrong = "it is not there"
        elif differing := _shown_differences(wanted, dict(actual)):
            wrong = f"it differs in {', '.join(differing)}"
        else:
            continue
        yield GOVERNANCE_DRIFTED.about(
            f"{connector.connector_id}#{rule.name}",
            f"governance rule {rule.name}: {wrong}",
            account=connector.account,
            provider=connector.provider,
            remedy=connector.remedy,
            evidence=_told(connector, rule=rule_id(connector.connector_id, rule)),
        )


def _shown_differences(wanted: dict[str, Any], actual: dict[str, Any]) -> tuple[str, ...]:
    """The differences that can be seen: an owner's address that Resource Graph does not show is not compared.

    Source: "Azure Resource Graph table and resource type reference": it scrubs personal data from its tables.
    """
    found = rule_differences(wanted, actual)
    owner = (actual.get("properties") or {}).get(_OWNER) or {}
    named, shown = wanted["properties"][_OWNER], str(owner.get("value") or "")
    hidden = named["type"] == "Manually" == owner.get("type") and not _ADDRESS.fullmatch(shown)
    return tuple(name for name in found if name != _OWNER or not hidden)


def _told(connector: Kept, **seen: str) -> dict[str, str]:
    return {name: value for name, value in (seen | {"ledger": connector.reason}).items() if value}
