"""What a use case did, for the one closing line in the log and for whoever called."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.ledger import Result
from shared.errors import quotable


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one piece of work; nothing is left to do for the caller but to finish its message.

    `budget_used` is how much of the time has passed for which an account is looked at again: 1 is all of it.
    """

    result: Result
    reason: str = ""
    connector_id: str = ""
    key: str = ""
    seconds_since_joined: float | None = None
    budget_used: float | None = None

    def log_fields(self) -> dict[str, str | float]:
        """The fields of the closing log line.

        `error_key` is the failure's heading in docs/runbook.md, if any; `seconds_since_joined` how long the account
        has been in the organization when its connector was made.
        """
        fields: dict[str, str | float] = {
            "outcome": str(self.result),
            "reason": quotable(self.reason),
            "connector_id": self.connector_id,
        }
        if self.seconds_since_joined is not None:
            fields["seconds_since_joined"] = round(self.seconds_since_joined, 3)
        return fields | ({"error_key": self.key} if self.key else {})
