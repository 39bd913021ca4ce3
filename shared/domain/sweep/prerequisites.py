"""What a deployment and its connectors need to go on as they are: paid plans, and queues that nobody has to look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from shared.domain.connectors import Connector
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import MESSAGES_GIVEN_UP, TRIAL_ENDS

TOLD_BEFORE = timedelta(days=7)
"""How long before a trial ends that is said."""


def trial_findings(connector: Connector, now: datetime) -> Iterator[SweepFinding]:
    """A trial that ends within a week. Source: Microsoft.Security/securityConnectors, thirty days after its making."""
    ends_at = _moment((connector.body.get("properties") or {}).get("hierarchyIdentifierTrialEndDate"))
    if ends_at is not None and now <= ends_at <= now + TOLD_BEFORE:
        yield TRIAL_ENDS.about(
            str(connector.connector_id),
            f"the trial of its plans ends on {ends_at:%Y-%m-%d}; from then on they are billed",
            account=connector.hierarchy_identifier,
            evidence={"ends_at": ends_at.isoformat()},
        )


def given_up_finding(queue: str, waiting: int, oldest_at: datetime | None) -> SweepFinding:
    """Messages that wait for a person."""
    since = f", the first since {oldest_at:%Y-%m-%d %H:%M} UTC" if oldest_at is not None else ""
    return MESSAGES_GIVEN_UP.about(queue, f"{waiting} message(s) were given up{since}")


def _moment(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text[:19])
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
