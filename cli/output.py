"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from rich.console import Console

console = Console()
progress = Console(stderr=True)

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
