"""Looks through logs for what must never be in one: tokens, keys, signatures, addresses of persons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PATTERNS: dict[str, re.Pattern[str]] = {
    "token (JWT)": re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    "bearer token": re.compile(r"(?i)\bbearer\s+[\w.~+/-]{20,}"),
    "SAS signature": re.compile(r"(?i)[?&;]sig=[^&\s\"']{8,}"),
    "account key": re.compile(r"(?i)account_?key\W{1,3}[A-Za-z0-9+/]{40,}={0,2}"),
    "AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"),
    "AWS secret key": re.compile(
        r"(?<![\w/+=-])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*[0-9])"
        r"[A-Za-z0-9/+]{40}(?![\w/+=-])"
    ),
    "AWS session token": re.compile(r"(?i)session_?token\W{1,3}[\w+/=]{20,}"),
    "webhook key": re.compile(r"\bwhsec_[\w+/=]{16,}"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "address of a person": re.compile(
        r"\b[\w.+-]+@(?![\w.-]*gserviceaccount\.com\b)[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b"
    ),
}
"""What is looked for, by its name; service accounts of Google are no persons."""
SHOWN = 12


@dataclass(frozen=True)
class Find:
    """One place of a log; what was found is cut, so that the find tells no secret itself."""

    file: str
    line: int
    kind: str
    beginning: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.beginning}…"


def scan(files: Iterable[Path], secrets: Iterable[str] = ()) -> Iterator[Find]:
    """Everything that fits a pattern or is one of `secrets`, word for word."""
    known = [secret for secret in secrets if secret]
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                for kind, text in _found(line, known):
                    yield Find(file=file.name, line=number, kind=kind, beginning=text[:SHOWN])


def _found(line: str, known: list[str]) -> Iterator[tuple[str, str]]:
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(line):
            yield kind, match[0]
    for secret in known:
        if secret in line:
            yield "secret of the sandbox", secret
