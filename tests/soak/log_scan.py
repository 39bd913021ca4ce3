"""Looks through logs for what must never be in one: tokens, keys, signatures, addresses of persons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.secret_patterns import MACHINES, Finding, findings

OF_LOGS: dict[str, re.Pattern[str]] = {
    "aws-secret": re.compile(
        r"(?<![\w/+=-])(?=[A-Za-z0-9/+]*[a-z])(?=[A-Za-z0-9/+]*[A-Z])(?=[A-Za-z0-9/+]*[0-9])"
        r"[A-Za-z0-9/+]{40}(?![\w/+=-])"
    ),
    "aws-session-token": re.compile(r"(?i)session_?token\W{1,3}[\w+/=]{20,}"),
}
"""By its kind, what a log must not hold even without a name before it, and a repository may: digests look like that."""
NO_MATTER = {"home-folder", "package-index"}
"""A traceback names folders; whoever reads the log has the computer."""


def scan(files: Iterable[Path], secrets: Iterable[str] = ()) -> Iterator[Finding]:
    """Everything that looks like a secret or an address, or is one of `secrets`, word for word."""
    known = [secret for secret in secrets if secret]
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        of_all = findings([(file.name, text)], domains=MACHINES)
        yield from (each for each in of_all if each.kind not in NO_MATTER)
        for kind, pattern in OF_LOGS.items():
            for match in pattern.finditer(text):
                yield Finding(kind, file.name, text.count("\n", 0, match.start()) + 1, match[0])
        for secret in known:
            if (at := text.find(secret)) >= 0:
                yield Finding("secret of the sandbox", file.name, text.count("\n", 0, at) + 1, secret)
