"""The settings of the sandbox that runs in this folder, as if the shell had set them."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from cli.output import progress

SANDBOX_ENVIRONMENT = Path(".sandbox") / "operator.env"
_NAMES_A_DEPLOYMENT = ("ROLLCALL_LEDGER", "ROLLCALL_POLICY", "ROLLCALL_PUBLISH")


def adopt_sandbox() -> bool:
    """Works on the sandbox that runs in this folder where the shell names no deployment; True where it does so."""
    if any(name.upper().startswith(_NAMES_A_DEPLOYMENT) for name in os.environ):
        return False
    running = (SANDBOX_ENVIRONMENT.parent / "endpoints.json").exists()  # the settings outlive their sandbox
    return running and load_environment(SANDBOX_ENVIRONMENT)


def announce_sandbox() -> None:
    """`adopt_sandbox`, with a word about it on standard error."""
    if adopt_sandbox():
        progress.print(f"[dim]working on the sandbox in {SANDBOX_ENVIRONMENT.parent}[/dim]")


def load_environment(path: Path) -> bool:
    """Takes the settings of a file; False where there is no such file."""
    if not path.exists():
        return False
    os.environ.update({name: value for name, value in dotenv_values(path).items() if value is not None})
    return True
