"""What of the way from an event to a connector is ours, on a sandbox that does nothing else.

An account's way begins with CreateAccount and ends with the answer to the PUT of its connector. Of it, ours is the time
in which one of our functions worked for it: the invocations of Lambda functions, and the Function App's work from the
answer that brought its host the message to the answer to the PUT. Where its requests pause for longer than
`gap_seconds`, it has ended, and the message waits. Everything else is waiting for the clouds, whose times the settings
say: creating the account, delivering events, batching windows, polling, the stack instance. Inside ours is also the
time that the simulators took to answer our requests; without it is the second figure.

A journal entry is written when a request ends, so it began `duration_ms` before its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

Span = tuple[float, float]
"""Seconds since 1970."""


def bound(settings: dict[str, Any], journal: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """One entry for each account, in the order of `settings["accounts"]`: elapsed, ours, and ours without answers."""
    entries = sorted(({**entry, "span": span_of(entry)} for entry in journal), key=lambda entry: entry["span"][0])
    starts = [entry["span"][0] for entry in entries if entry["operation"] == "organizations:CreateAccount"]
    ways = [
        way_of(account, begun, entries, settings) for account, begun in zip(settings["accounts"], starts, strict=True)
    ]
    return {"accounts": ways}


def span_of(entry: dict[str, Any]) -> Span:
    """When a request began and ended."""
    ended = datetime.fromisoformat(entry["time"]).timestamp()
    return ended - entry["duration_ms"] / 1000, ended


def way_of(account: str, begun: float, entries: Sequence[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """The way of one account. Raises LookupError where it has no connector."""
    name = f"/aws-{account}"
    ends = [
        entry["span"][1]
        for entry in entries
        if entry["operation"] == "arm:PutSecurityConnector"
        and entry["status"] in {200, 201}
        and entry["path"].partition("?")[0].endswith(name)
    ]
    if not ends:
        raise LookupError(f"{account} has no connector")
    ended = ends[0]
    there = [entry for entry in entries if begun <= entry["span"][0] and entry["span"][1] <= ended]
    lambdas = [entry["span"] for entry in there if entry["operation"] == "lambda:Invoke"]
    app = [entry["span"] for entry in there if entry["identity"] == settings["function_app"] and of_ours(entry)]
    brought = [entry["span"][1] for entry in there if entry["operation"] == "queue:GetMessages"]
    worked = [*lambdas, *bursts([*received(app, brought), *app], settings["gap_seconds"])]
    ours = length(worked)
    callers = {settings["function_app"], *settings["roles"]}
    answers = [entry["span"] for entry in there if of_ours(entry) and caller_of(entry) in callers]
    return {
        "account": account,
        "elapsed": ended - begun,
        "ours": ours,
        "without_answers": ours - length(overlaps(answers, worked)),
        "requests": len(answers),
    }


HOST = {
    "queue:GetMessages",
    "queue:DeleteMessage",
    "queue:UpdateMessage",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessageBatch",
}
"""What the platforms ask to bring us messages, and not we."""


def of_ours(entry: dict[str, Any]) -> bool:
    """Whether our code asked, and not the platform for it; locks of the platform's own timers are blobs."""
    platform = entry["operation"] in HOST or entry["operation"].startswith("blob:LeaseBlob")
    return not platform and entry["service"] not in {"lambda", "lambda-runtime"}


def caller_of(entry: dict[str, Any]) -> str:
    """The name of an identity, of a role without its path."""
    return str(entry["identity"]).rpartition("/")[2]


def bursts(spans: Iterable[Span], gap: float) -> list[Span]:
    """Requests that follow each other within `gap` seconds are one piece of work; between them our code ran."""
    found: list[Span] = []
    for begun, ended in sorted(spans):
        if found and begun - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(ended, found[-1][1]))
        else:
            found.append((begun, ended))
    return found


def received(app: Sequence[Span], brought: Iterable[float]) -> list[Span]:
    """From the last answer that may have brought the message to the first request for it."""
    first = min((begun for begun, _ in app), default=0.0)
    last = max((moment for moment in brought if moment <= first), default=first)
    return [(last, first)] if app else []


def length(spans: Iterable[Span]) -> float:
    """How long any of them lasts."""
    return sum(ended - begun for begun, ended in bursts(spans, 0.0))


def overlaps(spans: Iterable[Span], within: Iterable[Span]) -> list[Span]:
    """The parts of `spans` that lie in one of `within`."""
    cut = [(max(a, c), min(b, d)) for a, b in spans for c, d in within]
    return [(begun, ended) for begun, ended in cut if begun < ended]
