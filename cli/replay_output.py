"""How `rollcall replay` shows given-up messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.output import console, words
from cli.status_output import history_lines
from cli.wording import age, moment, state_text
from shared.application.documents import message_document
from shared.application.replay import Shown
from shared.application.replay_ports import GivenUp
from shared.domain.accounts import Provider

ID_WIDTH, ACCOUNT_WIDTH, AGE_WIDTH, CLASS_WIDTH, QUEUE_WIDTH, GAP = 8, 12, 8, 22, 27, 2
ROOM_FOR_QUEUES = 130
LEAST_ROOM = 12  # for reasons; a terminal narrower than that shows none: `rollcall replay show` does


def messages_table(messages: Sequence[GivenUp], width: int, now: datetime) -> Table:
    """A line for each message, in `width` columns; ids and accounts are never cut.

    A project is told by `gcp-` and its number, and by its id before the reason.
    """
    wide = width >= ROOM_FOR_QUEUES
    accounts = max([ACCOUNT_WIDTH, *(len(_account(each)) for each in messages)])
    used = ID_WIDTH + accounts + AGE_WIDTH + CLASS_WIDTH + (QUEUE_WIDTH + GAP if wide else 0)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, size in (("message", ID_WIDTH), ("account", accounts), ("age", AGE_WIDTH)):
        table.add_column(name, no_wrap=True, width=size)
    table.add_column("kind of reason", no_wrap=True, overflow="ellipsis", width=CLASS_WIDTH)
    if wide:
        table.add_column("queue", no_wrap=True, width=QUEUE_WIDTH)
    longest = max((len(words(_reason(each))) for each in messages), default=1)  # into a file: no padding
    room = width - used - 4 * GAP
    told = room >= LEAST_ROOM
    if told:
        room = min(room, max(longest, len("reason")))
        table.add_column("reason", no_wrap=not wide, overflow="fold" if wide else "ellipsis", width=room)
    for each in messages:
        table.add_row(
            words(each.message_id[:ID_WIDTH]),
            words(_account(each)),
            age(each.since, now),
            words(each.reason_class),
            *([words(each.queue)] if wide else []),
            *([words(_reason(each))] if told else []),
        )
    return table


def _account(message: GivenUp) -> str:
    """The account's id, or whose it is as far as the message says."""
    if message.provider is Provider.GCP:
        return f"gcp-{message.account}" if message.account else "gcp"
    return message.account or "-"


def _reason(message: GivenUp) -> str:
    named = not message.project_id or message.reason.startswith(f"{message.project_id}: ")
    return message.reason if named else f"{message.project_id}: {message.reason}"


def print_message(found: Shown) -> None:
    """One message, what is known of it, and its account."""
    message = found.message
    named = " ".join(filter(None, (message.account, message.project_id)))
    account = named or "no account"
    if message.provider is Provider.GCP:
        account = f"project {named}" if named else "a push that names no project"
    console.print(Text.assemble(words(account, style="bold"), "  ", words(message.asks), "  ", words(message.queue)))
    lines = {
        "message": message.message_id,
        "given up": moment(message.since),
        "expires": "never" if message.never_expires else moment(message.taken.expires_at),
        "kind": message.reason_class,
        "reason": message.reason,
        "remedy": message.remedy,
        "cause": f"{found.diagnosis.prospect}: {found.diagnosis.why}",
    }
    for label, value in lines.items():
        console.print(words(f"{label + ':':<10}{value}"), soft_wrap=label == "message")
    if message.body is not None:
        console.print(words(_pretty(message.body), style="dim", lines=True))
    if found.record is not None:
        console.print(
            Text.assemble(
                f"the {found.record.key.provider.noun} is ",
                state_text(found.record.state),
                " since ",
                moment(found.record.state_at),
            )
        )
        for part in history_lines(found.history, console.width):
            console.print(part)


def _pretty(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "backslashreplace")


def kept_document(message: GivenUp) -> dict[str, Any]:
    """A message with its bytes, for a file: plain JSON values only."""
    told = message_document(message)
    moments = {name: value.isoformat() for name, value in told.items() if isinstance(value, datetime)}
    body = base64.b64encode(message.body).decode() if message.body is not None else None
    return told | moments | {"body_base64": body, "text": message.taken.text}
