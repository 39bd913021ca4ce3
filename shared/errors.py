"""The three ways in which work can fail, and what each means to whoever called.

| class | means | on the Functions queue | on Lambda |
|---|---|---|---|
| `TransientError` | the same input may succeed later | back on the queue, later | item failure |
| `PermanentError` | this message never can | poison queue, with reason and remedy | item failure, then DLQ |
| `ConfigurationError` | the deployment is wrong | raised, critical | raised, critical |
"""

from __future__ import annotations


class RollcallError(Exception):
    """An expected failure: it always says why (`reason`) and what to do about it (`remedy`)."""

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        """Keeps `reason`, one sentence, and `remedy`, one imperative sentence or nothing."""
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason} ({self.remedy})" if self.remedy else self.reason


class TransientError(RollcallError):
    """The same input may succeed later: throttling, time-outs, 5xx, a role that is not visible yet."""

    def __init__(self, reason: str, *, remedy: str = "", retry_after_seconds: float | None = None) -> None:
        """`retry_after_seconds` is the wait that the service asked for; None where it asked for none."""
        super().__init__(reason, remedy=remedy)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(RollcallError):
    """This input can never succeed; a person has to act on the remedy and replay it."""


class ConfigurationError(RollcallError):
    """The deployment is wrong: a missing setting, a lasting refusal."""

    def __init__(self, reason: str, *, setting: str, remedy: str = "") -> None:
        """`setting` names what has to be mended: an environment variable, a role, a field of the policy."""
        super().__init__(reason, remedy=remedy or f"Correct {setting}.")
        self.setting = setting
