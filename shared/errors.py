"""The three ways in which work can fail, and what each means to whoever called.

| class | means | on the Functions queue | on Lambda |
|---|---|---|---|
| `TransientError` | the same input may succeed later | back on the queue, later | item failure |
| `PermanentError` | this message never can | poison queue, with reason and remedy | item failure, then DLQ |
| `ConfigurationError` | the deployment is wrong | raised, critical | raised, critical |
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_LETTERS = 2000
"""Of others' words in a reason: it stands in logs, in the ledger and on queues."""

_DOMAIN = r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}"
_ADDRESS = re.compile(rf"[\w.+%-]{{1,64}}@((?:{_DOMAIN})?)|@(?=[\w-]+\.){_DOMAIN}")
"""Halves of one, too: what is quoted may have been cut in the middle."""
_MACHINES = "gserviceaccount.com"
_SECRET = re.compile(r"eyJ[\w-]{8,}(?:\.[\w-]*){1,4}|(?<=[?&]sig=)[^\s&\"']+|(?i:(?<=bearer ))[\w.~+/-]{16,}=*")


def quotable(text: str) -> str:
    """What of others' words may be told: no token, no person's address, and not without end.

    Clouds quote what they were sent, and name people in what they refuse. Service accounts of Google keep theirs.
    """
    return discreet(text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…")


def discreet(said: str) -> str:
    """The same, however long: no token and no person's address."""
    if "@" in said:
        said = _ADDRESS.sub(lambda found: found[0] if (found[1] or "").endswith(_MACHINES) else "(an address)", said)
    return _SECRET.sub("(a token)", said)


class RollcallError(Exception):
    """An expected failure: it always says why (`reason`) and what to do about it (`remedy`)."""

    def __init__(self, reason: str, *, remedy: str = "", key: str = "") -> None:
        """Keeps `reason`, one sentence, and `remedy`, one imperative sentence or nothing, as far as they may be told.

        `key` names the kind of failure for machines: the heading in docs/runbook.md; empty where it has none.
        """
        super().__init__(reason := quotable(reason))
        self.reason = reason
        self.remedy = quotable(remedy)
        self.key = key

    def __str__(self) -> str:
        return f"{self.reason} ({self.remedy})" if self.remedy else self.reason


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long, counted from when the work was asked for, a failure may pass by itself.

    When it lasts longer the deployment is wrong, in `setting`.
    """

    seconds: float
    setting: str


class TransientError(RollcallError):
    """The same input may succeed later: throttling, time-outs, 5xx, a role that is not visible yet."""

    def __init__(
        self,
        reason: str,
        *,
        remedy: str = "",
        key: str = "",
        retry_after_seconds: float | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`retry_after_seconds` is the wait that the service asked for; None where it asked for none.

        Without `patience` it stays transient for as long as the caller's own budget lasts.
        """
        super().__init__(reason, remedy=remedy, key=key)
        self.retry_after_seconds = retry_after_seconds
        self.patience = patience

    def lasting(self, age_seconds: float) -> ConfigurationError | None:
        """The wrong deployment that this is to work of that age; None while it may still pass by itself."""
        if self.patience is None or age_seconds <= self.patience.seconds:
            return None
        return ConfigurationError(self.reason, setting=self.patience.setting, remedy=self.remedy, key=self.key)


class PermanentError(RollcallError):
    """This input can never succeed; a person has to act on the remedy and replay it."""


class ConfigurationError(RollcallError):
    """The deployment is wrong: a missing setting, a lasting refusal."""

    def __init__(self, reason: str, *, setting: str, remedy: str = "", key: str = "") -> None:
        """`setting` names what has to be mended: an environment variable, a role, a field of the policy."""
        super().__init__(reason, remedy=remedy or f"Correct {setting}.", key=key)
        self.setting = setting
