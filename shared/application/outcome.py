"""What a use case did, for the one closing line in the log and for whoever called."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.ledger import Result


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one piece of work; nothing is left to do for the caller but to finish its message."""

    result: Result
    reason: str = ""
    connector_id: str = ""
    key: str = ""

    def log_fields(self) -> dict[str, str]:
        """The fields of the closing log line; `error_key` is the failure's heading in docs/runbook.md, if any."""
        fields = {"outcome": str(self.result), "reason": self.reason, "connector_id": self.connector_id}
        return fields | ({"error_key": self.key} if self.key else {})
