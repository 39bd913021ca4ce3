"""What asking again would not mend: the ledger says that it was tried under the policy in force, and refused."""

from __future__ import annotations

from shared.domain.aftercare import STANDARDS_UNREADABLE
from shared.domain.findings import GOVERNANCE_REFUSED, STANDARD_REFUSED, STANDARD_UNKNOWN
from shared.domain.ledger import AccountRecord, State
from shared.domain.policy import Policy
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import GOVERNANCE_DRIFTED, STANDARD_UNASSIGNED

_REFUSALS = {
    STANDARD_UNASSIGNED.key: (STANDARD_UNKNOWN, STANDARD_REFUSED),
    GOVERNANCE_DRIFTED.key: (GOVERNANCE_REFUSED,),
}


def is_parked(record: AccountRecord | None, policy: Policy) -> bool:
    """Whether a request about the account waits for a person: the same once more would come to lie beside it."""
    return record is not None and record.state is State.PARKED and record.policy_hash == policy.content_hash


def names_refusal(record: AccountRecord) -> bool:
    """Whether the ledger tells that a standard or a governance rule was refused."""
    kinds = (kind for several in _REFUSALS.values() for kind in several)
    return any(kind.found("").remedy in record.remedy for kind in kinds)


def was_refused(finding: SweepFinding, record: AccountRecord | None, policy: Policy) -> bool:
    """Whether that standard or that rule, named after `#` in the subject, was refused when it was last asked for."""
    if record is None or record.policy_hash != policy.content_hash:
        return False
    if not any(kind.found("").remedy in record.remedy for kind in _REFUSALS.get(finding.key, ())):
        return False
    reason, name = record.reason.casefold(), repr(finding.subject.partition("#")[2]).casefold()
    return name in reason or (finding.key == STANDARD_UNASSIGNED.key and STANDARDS_UNREADABLE in reason)
