"""What follows the connector: standards and governance rules that the profile asks for, each once."""

from __future__ import annotations

from shared.application.ports import Compliance
from shared.domain.aftercare import (
    STANDARDS_UNREADABLE,
    aftercare_digest,
    assignment_body,
    assignment_id,
    rule_body,
    rule_differences,
    rule_id,
)
from shared.domain.connectors import ConnectorId
from shared.domain.findings import GOVERNANCE_REFUSED, STANDARD_REFUSED, STANDARD_UNKNOWN, Finding
from shared.domain.ledger import AccountRecord, State
from shared.domain.profiles import Profile
from shared.errors import PermanentError


def aftercare_due(profile: Profile, record: AccountRecord | None, *, again: bool = False) -> str:
    """The digest of what has to be seen to; empty where nothing has, or where the ledger says that it was.

    Only an account whose last work ended well is believed: a connector may have been made anew since. `again`: nor is
    the ledger, since whoever asks has reason to think that somebody changed something.
    """
    digest = aftercare_digest(profile)
    settled = not again and record is not None and record.state is State.CONNECTED
    return "" if settled and record is not None and record.aftercare == digest else digest


def ensure_aftercare(connector_id: ConnectorId, profile: Profile, compliance: Compliance) -> tuple[Finding, ...]:
    """Assigns the profile's standards and makes its governance rules where they are not there yet.

    What Defender refuses is a finding: the connector itself is fine. Raises TransientError, ConfigurationError.
    """
    findings = [*_standards(connector_id, profile, compliance), *_rules(connector_id, profile, compliance)]
    return tuple(findings)


def _standards(connector_id: ConnectorId, profile: Profile, compliance: Compliance) -> list[Finding]:
    if not profile.standards:
        return []
    findings: list[Finding] = []
    try:
        offered = compliance.list_standards(connector_id)
        assigned = {each.lower() for each in compliance.list_assigned(connector_id)}
    except PermanentError as error:
        return [STANDARD_REFUSED.found(f"{STANDARDS_UNREADABLE}: {error.reason}")]
    by_name = {name.casefold(): (name, standard_id) for name, standard_id in offered.items()}
    for asked in profile.standards:
        found = by_name.get(asked.casefold())
        if found is None:
            findings.append(STANDARD_UNKNOWN.found(f"no standard {asked!r}; there are {', '.join(sorted(offered))}"))
            continue
        name, standard_id = found
        if standard_id.lower() in assigned:
            continue
        try:
            compliance.assign(
                connector_id, assignment_id(connector_id, standard_id), assignment_body(name, standard_id)
            )
        except PermanentError as error:
            findings.append(STANDARD_REFUSED.found(f"standard {name!r} was refused: {error.reason}"))
    return findings


def _rules(connector_id: ConnectorId, profile: Profile, compliance: Compliance) -> list[Finding]:
    findings: list[Finding] = []
    for rule in profile.governance:
        name, wanted = rule_id(connector_id, rule), rule_body(rule)
        try:
            actual = compliance.find_rule(connector_id, name)
            if actual is None or rule_differences(wanted, actual):
                compliance.put_rule(connector_id, name, wanted)
        except PermanentError as error:
            findings.append(GOVERNANCE_REFUSED.found(f"governance rule {rule.name!r} was refused: {error.reason}"))
    return findings
