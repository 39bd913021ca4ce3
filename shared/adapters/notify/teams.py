"""A channel of Microsoft Teams, through a workflow that posts what its webhook gets.

Texts of others stand in text runs only, which know no Markdown, mentions or functions; what is hidden is escaped.
Source: Adaptive Cards 1.5, `RichTextBlock` and `TextRun`; Microsoft Learn, "Create incoming webhooks with Workflows".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from shared.adapters.notify.post import Receiving
from shared.domain.notice import SHOW_ALL, Cause, Example, Notice
from shared.domain.sweep.findings import Severity
from shared.domain.visible import shown

VERSION = "1.5"
CAUSES = 12
"""How many causes a card names at most; the others are counted."""
MOST_BYTES = 24 * 1024
"""Of a message; Teams takes 28 KB."""
_NAME, _REASON = 80, 300
"""How many characters of each are shown."""
_COMMAND = 600
"""How long a command may be; a part of one would be no command, or another one."""
_STYLE = {Severity.HIGH: "attention", Severity.MEDIUM: "warning", Severity.LOW: "emphasis"}

Element = dict[str, Any]


class TeamsChannel:
    """A receiver of cards."""

    def __init__(self, address: str, *, setting: str) -> None:
        """`address` is the workflow's, with its signature inside; `setting` is named in errors."""
        self._receiving = Receiving(address, setting=setting)

    def tell(self, notice: Notice) -> None:
        """Sends the card. Raises TransientError, PermanentError, ConfigurationError."""
        self._receiving.post(message_of(notice))


def message_of(notice: Notice) -> bytes:
    """The message that the workflow's trigger takes: one card with as many causes as fit, and nothing else."""
    bodies = (_message(card_of(notice, causes)) for causes in range(CAUSES, -1, -1))
    return next(body for body in bodies if len(body) <= MOST_BYTES)


def _message(card: Element) -> bytes:
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attached]}, ensure_ascii=False).encode()


def card_of(notice: Notice, causes: int = CAUSES) -> Element:
    """The card: what came and went, by cause, of which `causes` are named, and the command to run next."""
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": _title(notice),
        "msteams": {"width": "Full"},
        "body": [
            _text(_run(_title(notice), size="Large", weight="Bolder")),
            _text(_run(_about(notice), isSubtle=True)),
            *([] if notice.complete else [_text(_run(_INCOMPLETE, color="Attention", weight="Bolder"))]),
            *(_cause(each) for each in notice.causes[:causes]),
            *_more(notice.causes[causes:]),
            _text(_run("Run next: ", weight="Bolder"), _command(notice.command), separator=True),
            *([] if notice.command == SHOW_ALL else [_text(_run("All of it: ", isSubtle=True), _command(SHOW_ALL))]),
        ],
    }


_INCOMPLETE = "Not everything could be looked at: what is not named here may be there all the same."


def _title(notice: Notice) -> str:
    return f"Rollcall: {notice.new} new, {notice.resolved} resolved"


def _about(notice: Notice) -> str:
    since = f"since {_moment(notice.since)}" if notice.since else "the first notice: all that is open is new"
    counts = ", ".join(f"{count} {severity}" for severity, count in notice.open.items())
    return f"Sweep of {notice.ended_at:%Y-%m-%d %H:%M} UTC, {since}. Open now: {counts}."


def _moment(run: str) -> str:
    """When the sweep of that name was asked for."""
    return f"{datetime.strptime(run[:16], '%Y%m%dT%H%M%SZ').replace(tzinfo=UTC):%Y-%m-%d %H:%M} UTC"


def _cause(cause: Cause) -> Element:
    counts = ", ".join(f"{count} {word}" for count, word in ((cause.new, "new"), (cause.resolved, "resolved")) if count)
    named = ", ".join(_example(each) for each in cause.examples)
    left = (cause.new or cause.resolved) - len(cause.examples)
    items = [
        _text(_run(cause.key, weight="Bolder"), _run(f"  {cause.severity}, {counts}" if cause.new else f"  {counts}")),
        _text(_run(named + (f", and {left} more" if left > 0 else ""))),
    ]
    if cause.new:
        items.append(_text(_run(_cut(cause.reason, _REASON), isSubtle=True)))
        items.append(_text(_command(cause.command)))
    style = _STYLE[cause.severity] if cause.new else "good"
    return {"type": "Container", "style": style, "spacing": "Small", "items": items}


def _example(example: Example) -> str:
    named = f" ({_cut(example.name, _NAME)})" if example.name else ""
    return f"{_cut(example.subject.rpartition('/')[2] or example.subject, _NAME)}{named}"


def _more(causes: Iterable[Cause]) -> Iterator[Element]:
    left = tuple(causes)
    if left:
        new, resolved = sum(each.new for each in left), sum(each.resolved for each in left)
        yield _text(_run(f"And {len(left)} more causes: {new} new, {resolved} resolved."))


def _cut(text: str, most: int) -> str:
    """Text of others as people may see it, at most so long."""
    whole = shown(text)
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"


def _command(text: str) -> Element:
    return _run(shown(text) if len(text) <= _COMMAND else SHOW_ALL, fontType="Monospace")


def _run(text: str, **style: object) -> Element:
    return {"type": "TextRun", "text": text} | style


def _text(*runs: Element, **style: object) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)} | style
