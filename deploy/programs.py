"""The clouds' own command lines, as the operator has them: each does the work, and each is looked for first."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Container, Mapping
from typing import Any

from deploy.refusal import RefusedError

_HOW_TO_GET: dict[str, str] = {
    "aws": "Install the AWS CLI, version 2 of November 2025 or later: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    "az": "Install the Azure CLI, 2.76 or later: https://learn.microsoft.com/cli/azure/install-azure-cli",
    "terraform": "Install Terraform, 1.9 or later: https://developer.hashicorp.com/terraform/install",
}
_REFUSAL = re.compile(r"\((\w+)\)")  # the code in "An error occurred (AccessDenied) when calling …"


def say(text: str) -> None:
    """A line for the operator."""
    print(text, flush=True)


def need(program: str) -> None:
    """Refuses where a program is not on PATH."""
    if shutil.which(program) is None:
        raise RefusedError(f"{program} is not on PATH", remedy=_HOW_TO_GET[program])


def ask(*command: str, unless: Container[str] = (), remedies: Mapping[str, str] | None = None) -> Any:
    """What a command that changes nothing answers, from JSON; None where it refuses with one of the codes `unless`.

    Raises RefusedError where it refuses with another, with that code's own remedy where there is one.
    """
    done = _run(command)
    refused = _REFUSAL.search(done.stderr) if done.returncode else None
    if refused and refused[1] in unless:
        return None
    answer = _document(_good(command, done, (remedies or {}).get(refused[1]) if refused else None))
    return {} if answer is None and unless else answer  # an answer without fields is printed as nothing


def act(*command: str) -> Any:
    """Tells a command that changes something, does it, and returns its answer from JSON."""
    say(f"+ {_shown(command)}")
    return _document(_good(command, _run(command)))


def show(*command: str, told: bool = False, good: Container[int] = (0,)) -> int:
    """Lets a command write to the operator's terminal, and returns its exit code."""
    if told:
        say(f"+ {_shown(command)}")
    code = subprocess.run(_found(command), check=False).returncode  # noqa: S603 - the operator's own tools
    if code not in good:
        raise RefusedError(f"`{_shown(command)}` ended with {code}", remedy="Its own words are above.")
    return code


def signed_in(remedy: str, *command: str) -> Any:
    """What a command answers about whose sign-in it has. Raises RefusedError with that remedy where it has none."""
    done = _run(command)
    if done.returncode:
        raise RefusedError(f"{command[0]} is not signed in: {' '.join(done.stderr.split()).rstrip('.')}", remedy=remedy)
    return _document(done.stdout)


def text_of(*command: str, may_be_empty: bool = False) -> str:
    """What a command prints, where that is no JSON; nothing where its exit code alone says that there is nothing."""
    done = _run(command)
    if may_be_empty and done.returncode and not done.stderr.strip():
        return ""
    return _good(command, done)


def _run(command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the operator's own tools
        _found(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _found(command: tuple[str, ...]) -> list[str]:
    """On Windows `az` is a script, which is found by its whole name only."""
    need(command[0])
    return [shutil.which(command[0]) or command[0], *command[1:]]


def _good(command: tuple[str, ...], done: subprocess.CompletedProcess[str], remedy: str | None = None) -> str:
    if done.returncode:
        sys.stdout.flush()
        print(done.stderr.strip() or done.stdout.strip(), file=sys.stderr)
        raise RefusedError(
            f"`{_shown(command)}` ended with {done.returncode}", remedy=remedy or "Its own words are above."
        )
    return done.stdout


def _document(text: str) -> Any:
    return json.loads(text) if text.strip() else None


def _shown(command: tuple[str, ...]) -> str:
    return " ".join(command)
