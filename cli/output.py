"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 10_000)
"""Into a file or a pipe nothing is folded: one line is one line."""
progress = Console(stderr=True)
"""What goes on; nothing with --quiet."""
errors = Console(stderr=True)
"""Why a command ends without having done what was asked."""

DONE, FOUND, WRONG_USAGE = 0, 1, 2
"""Exit codes: done; something failed or was found; wrong usage or settings."""


class RefusedError(Exception):
    """The command cannot do what was asked; said in one line, and as the JSON document where one is wanted."""

    def __init__(self, reason: str, *, remedy: str = "", exit_code: int = FOUND) -> None:
        """`exit_code` is FOUND or WRONG_USAGE."""
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy
        self.exit_code = exit_code


class ToldError(Exception):
    """Everything was said already, on standard output and as JSON where it is wanted; only the exit code is left."""

    def __init__(self, exit_code: int) -> None:
        """`exit_code` is FOUND or WRONG_USAGE."""
        super().__init__(f"exit code {exit_code}")
        self.exit_code = exit_code


def words(text: str, *, style: str = "", lines: bool = False) -> Text:
    """Text from outside as people may see it: no markup, and nothing that a terminal would obey.

    Names of accounts and units and reasons of services may hold anything; what is not printable is written as
    its escape. `lines` keeps the line breaks of a text of our own.
    """
    plain = (
        letter if letter.isprintable() or (lines and letter == "\n") else letter.encode("unicode_escape").decode()
        for letter in text
    )
    return Text("".join(plain), style=style)


def write_json(document: Any) -> None:
    """One JSON document, and nothing else on standard output."""
    json.dump(document, sys.stdout, indent=2, default=_plain)
    sys.stdout.write("\n")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
