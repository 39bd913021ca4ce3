"""What a secret, a person's address, or a trace of one computer looks like in a text: a repository's file or a log."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

SECRETS: dict[str, re.Pattern[str]] = {
    "aws-key-id": re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    "aws-secret": re.compile(
        r"(?i)secret_?access_?key[\"']?\s*[:=]\s*[\"']?(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
    ),
    "storage-key": re.compile(r"(?<!sha512-)(?<![A-Za-z0-9+/])(?P<value>[A-Za-z0-9+/]{86}==)"),
    "connection-string": re.compile(
        r"(?i)(?:AccountKey|SharedAccessKey|SharedAccessSignature)=(?P<value>[^\s;\"'`{]{8,})"
    ),
    "signed-url": re.compile(r"(?i)[?&]sig=(?P<value>[A-Za-z0-9%+/=_-]{6,})"),
    "entra-secret": re.compile(r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])"),
    "jwt": re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.(?:eyJ|e30)[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?"),
    "bearer": re.compile(r"(?i)\b(?:bearer|sharedkey\s\w+:)\s+(?P<value>[A-Za-z0-9+/=._~-]{20,})"),
    "private-key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"),
    "google-key-file": re.compile(r"\"private_key_id\"\s*:\s*\"(?P<value>[0-9a-f]{40})\""),
    "google-api-key": re.compile(r"(?<![A-Za-z0-9_-])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    "google-token": re.compile(r"(?<![A-Za-z0-9])ya29\.[A-Za-z0-9._-]{20,}"),
    "receiver-url": re.compile(
        r"(?i)https://(?:[a-z0-9.-]+\.webhook\.office\.com/webhookb2/|hooks\.slack\.com/(?:services|workflows|triggers)/"
        r"|[a-z0-9.:-]+\.(?:logic\.azure|api\.powerplatform|azure-apihub)\.(?:com|net)(?::443)?/\S*?[?&]sig=)[^\s\"']{8,}"
    ),
    "vendor-token": re.compile(
        r"(?<![A-Za-z0-9_-])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,}|glpat-[A-Za-z0-9_-]{20,}"
        r"|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_-]{50,}|xox[abprs]-[A-Za-z0-9-]{10,}|whsec_[A-Za-z0-9+/=]{24,})"
    ),
    "password-in-url": re.compile(r"(?<=://)[^\s/:@\"'`{}<>]+:(?P<value>[^\s/@\"'`{}<>$]{3,})@"),
}
"""By its kind, what nobody may hold, write down or log."""

_QUOTED = re.compile(r"[:=]\s*[\"'](?P<value>[A-Za-z0-9+/=_.~-]{20,})[\"']")
_NAMED = re.compile(
    r"(?i)(?:secret|token|passw(?:or)?d|passphrase|credential|api_?key|access_?key|account_?key|private_?key|signature)"
    r"[a-z0-9_]*[\"']?\s*$"
)
_LONGEST_NAME = 64
_DOMAIN = re.compile(r"@(?P<domain>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_LOCAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+-]*\Z")
_HOME = re.compile(
    r"(?<![\w./-])(?:/(?:home|Users|mnt/c/Users)/[A-Za-z0-9_][\w.-]*/|/roo[t]/|[A-Za-z]:\\{1,2}User[s]\\)"
)
_INDEX = re.compile(
    r"(?i)(?:index[-_]url|\bregistry)\"?[\s=:]+\"?https?://|\"resolved\"\s*:\s*\"https?:|--find[-]links"
    r"|https?://[^/\s\"'`]*(?:artifactory|jfrog|nexus|devpi|verdaccio|mirror|registry\.npmjs|files\.pythonhosted)[^/\s\"'`]*"
)

EXAMPLES = ("example", "example.com", "example.org", "example.net", "invalid", "test", "localhost")
"""Domains that nobody has: RFC 2606 and 6761."""
MACHINES = ("gserviceaccount.com",)
"""Service accounts of Google Cloud have addresses, too; they are nobody's."""
_LEAST_ENTROPY = 3.6
_EXCERPT = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be there. Its text is told only in part: findings are printed."""

    kind: str
    place: str
    line: int
    value: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.kind}: {self.value[:_EXCERPT]}… ({len(self.value)} characters)"


def findings(
    texts: Iterable[tuple[str, str]], *, domains: Collection[str] = (*EXAMPLES, *MACHINES), here: Collection[str] = ()
) -> Iterator[Finding]:
    """What is wrong in the texts, each given with the name of its place.

    Addresses of `domains` and of those below them are nobody's. A log wants none of the examples either: then it is
    `MACHINES`. `here`: folders of this computer that no text may name.
    """
    for place, text in texts:
        for kind, value, start in (*_secrets(text), *_addresses(text, domains), *_traces(text, here)):
            yield Finding(kind, place, text.count("\n", 0, start) + 1, value)


def _secrets(text: str) -> Iterator[tuple[str, str, int]]:
    for kind, pattern in SECRETS.items():
        for found in pattern.finditer(text):
            yield kind, found.groupdict().get("value") or found.group(), found.start()
    for found in _QUOTED.finditer(text):
        name = _NAMED.search(text, max(0, found.start() - _LONGEST_NAME), found.start())
        if name and entropy(found["value"]) >= _LEAST_ENTROPY and re.search(r"\d", found["value"]):
            yield "assigned-secret", found["value"], found.start()


def _addresses(text: str, domains: Collection[str]) -> Iterator[tuple[str, str, int]]:
    for found in _DOMAIN.finditer(text):
        name = _LOCAL.search(text, max(0, found.start() - _LONGEST_NAME), found.start())
        domain = found["domain"].lower()
        nobodys = any(domain == each or domain.endswith(f".{each}") for each in domains)
        if name and not nobodys and not domain[-1].isdigit():
            yield "address", name.group() + found.group(), name.start()


def _traces(text: str, here: Collection[str]) -> Iterator[tuple[str, str, int]]:
    for pattern, kind in ((_HOME, "home-folder"), (_INDEX, "package-index")):
        for found in pattern.finditer(text):
            yield kind, found.group(), found.start()
    for folder in here:
        for found in re.finditer(rf"(?<![\w./-]){re.escape(folder)}(?![\w.-])", text):
            yield "this-computer", folder, found.start()


def entropy(value: str) -> float:
    """Bits for each character, by how often each occurs (Shannon)."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())
