"""What the table of an outside system says about one kind of failure: its class, remedy and documentation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.errors import ConfigurationError, Patience, PermanentError, RollcallError, TransientError

SETTLING_SECONDS = 900.0
"""How long what was just granted or created may stay invisible before it counts as missing."""


class Kind(StrEnum):
    """Which of our three classes of errors it is."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One kind of failure; `key` is its name in logs and its heading in docs/runbook.md.

    `link` is the vendor's own documentation. `setting` says what has to be mended where the deployment is
    wrong. `patience_seconds` bounds a transient failure that is a wrong deployment when it lasts.
    """

    key: str
    kind: Kind
    remedy: str
    link: str
    setting: str = ""
    retry_after_seconds: float | None = None
    patience_seconds: float | None = None

    def error(self, reason: str, *, retry_after_seconds: float | None = None, remedy: str = "") -> RollcallError:
        """The error of ours; a wait or a remedy that the answer itself gave goes before the table's."""
        advice = f"{remedy or self.remedy} Runbook: {self.key}."
        if self.kind is Kind.PERMANENT:
            return PermanentError(reason, remedy=advice, key=self.key)
        if self.kind is Kind.CONFIGURATION:
            return ConfigurationError(reason, setting=self.setting, remedy=advice, key=self.key)
        lasting = self.patience_seconds
        patience = None if lasting is None else Patience(seconds=lasting, setting=self.setting)
        wait = self.retry_after_seconds if retry_after_seconds is None else retry_after_seconds
        return TransientError(
            reason,
            remedy=advice,
            key=self.key,
            retry_after_seconds=wait,
            patience=patience,
        )
