"""The one running AWS sandbox of this process.

moto keeps its backends in module globals, so what is patched into moto finds its sandbox here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.aws.account_creation import AccountCreations
    from sandbox.aws.identity_tokens import TokenIssuer
    from sandbox.aws.scheduler import Scheduler
    from sandbox.aws.stack_sets import StackSets
    from sandbox.config import SandboxSettings
    from sandbox.faults import Faults
    from sandbox.journal import Journal

REGION = "us-east-1"
PARTITION = "aws"


@dataclass
class StackFailure:
    """A planted failure: the reason, and how many more stack instances it meets (None = all)."""

    reason: str
    remaining: int | None


@dataclass
class ActiveSandbox:
    """What the overlay remembers beside moto's own backends."""

    settings: SandboxSettings
    journal: Journal
    scheduler: Scheduler
    issuer: TokenIssuer
    account_creations: AccountCreations
    stack_sets: StackSets
    faults: Faults
    stack_failures: dict[str, StackFailure] = field(default_factory=dict)
    accounts_of_keys: dict[str, str] = field(default_factory=dict)
    verify_web_token: Callable[[str], dict[str, Any] | None] | None = None


_active: list[ActiveSandbox] = []


def activate(sandbox: ActiveSandbox) -> None:
    """Makes `sandbox` the one of this process."""
    if _active:
        message = "an AWS sandbox already runs in this process; stop it first"
        raise RuntimeError(message)
    _active.append(sandbox)


def deactivate() -> None:
    """Forgets the sandbox of this process."""
    _active.clear()


def active() -> ActiveSandbox:
    """The running sandbox."""
    if not _active:
        message = "no AWS sandbox runs in this process"
        raise RuntimeError(message)
    return _active[0]
