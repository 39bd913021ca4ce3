"""Findings as an operator reads them: whose they are, what to type, where to look."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.accounts import Provider, as_argument, is_account_id, is_project_number
from shared.domain.ledger import AccountKey, AccountRecord
from shared.domain.links import links_of, resource_link
from shared.domain.sweep.coverage import NAME, UNIT
from shared.domain.sweep.findings import Area, Severity, SweepFinding
from shared.domain.sweep.report import Standing, Tracked

_IN_CODE = re.compile(r"`([^`]+)`")
_PROGRAMS = ("rollcall ", "gcloud ", "aws ", "az ", "terraform ")
_HARMLESS = re.compile(r"[A-Za-z0-9 ._/:@=,+-]+")
"""What a command may consist of: a person copies it into a shell, and names of others are in remedies."""
_OF_AN_ACCOUNT = ("rollcall status", "rollcall onboard", "rollcall offboard")


@dataclass(frozen=True, kw_only=True)
class FindingLine:
    """One finding of the newest sweep. `provider` is None where it is no account's, or nobody can tell whose.

    `commands` are ready to be typed; `links` are https addresses by what they lead to.
    """

    identity: str
    standing: Standing
    severity: Severity
    key: str
    area: Area
    subject: str
    reason: str
    remedy: str
    first_seen: datetime
    last_seen: datetime
    provider: Provider | None = None
    account: str = ""
    name: str = ""
    ou_path: str = ""
    commands: tuple[str, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def finding_line(tracked: Tracked, records: Mapping[AccountKey, AccountRecord]) -> FindingLine:
    """The line of one finding, with what the ledger knows of its account, else what the finding itself says of it."""
    finding = tracked.finding
    provider = provider_of(finding, records)
    record = records.get(AccountKey(provider=provider, hierarchy_identifier=finding.account)) if provider else None
    return FindingLine(
        identity=finding.identity,
        standing=tracked.standing,
        severity=finding.severity,
        key=finding.key,
        area=finding.area,
        subject=finding.subject,
        reason=finding.reason,
        remedy=finding.remedy,
        first_seen=tracked.first_seen,
        last_seen=tracked.last_seen,
        provider=provider,
        account=finding.account,
        name=record.name if record is not None else finding.evidence.get(NAME, ""),
        ou_path=record.ou_path if record is not None else finding.evidence.get(UNIT, ""),
        commands=tuple(dict.fromkeys(commands_of(finding, provider))),
        evidence=dict(finding.evidence),
        links=_links(finding, record),
    )


def provider_of(finding: SweepFinding, records: Collection[AccountKey]) -> Provider | None:
    """The cloud of a finding's account, as the finding says.

    A report of before that was kept does not say: there it is told by the finding's marks, else by who of both is in
    the ledger. Twelve digits without a mark, and with both in the ledger, are then the account's.
    """
    if finding.provider is not None or not finding.account:
        return finding.provider
    subject = finding.subject.lower()
    if subject.startswith("projects/") or finding.key.startswith("gcp-") or "/securityconnectors/gcp-" in subject:
        return Provider.GCP
    known = [each for each in Provider if AccountKey(provider=each, hierarchy_identifier=finding.account) in records]
    if known:
        return known[0]
    if is_account_id(finding.account):
        return Provider.AWS
    return Provider.GCP if is_project_number(finding.account) else None


def commands_of(finding: SweepFinding, provider: Provider | None) -> Iterator[str]:
    """The commands that the remedy names, made ready for the finding's account; else what shows its history."""
    who = as_argument(finding.account, provider) if provider is not None and _is_whole(finding.account) else ""
    named = False
    for text in _IN_CODE.findall(finding.remedy):
        command = " ".join(text.split())
        if not command.startswith(_PROGRAMS):
            continue
        if who:
            command = f"{command} {who}" if command in _OF_AN_ACCOUNT else re.sub(r"\bID\b", who, command)
        if _HARMLESS.fullmatch(command):
            named = True
            yield command
    if who and not named:
        yield f"rollcall status {who}"


def _is_whole(account: str) -> bool:
    return is_account_id(account) or is_project_number(account)


def _links(finding: SweepFinding, record: AccountRecord | None) -> dict[str, str]:
    found = links_of(record) if record is not None else {}
    if portal := resource_link(finding.subject):
        found["portal"] = portal
    if finding.link.startswith("https://"):
        found["documentation"] = finding.link
    return found
