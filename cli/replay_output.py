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
from cli.status import history_table
from cli.wording import age, moment, state_text
from shared.application.documents import message_document
from shared.application.replay import Shown
from shared.application.replay_ports import GivenUp

ID_WIDTH, ACCOUNT_WIDTH, AGE_WIDTH, CLASS_WIDTH, QUEUE_WIDTH, GAP = 8, 12, 8, 22, 27, 2
ROOM_FOR_QUEUES = 130


def messages_table(messages: Sequence[GivenUp], width: int, now: datetime) -> Table:
    """A line for each message, in `width` columns; ids and accounts are never cut."""
    wide = width >= ROOM_FOR_QUEUES
    used = ID_WIDTH + ACCOUNT_WIDTH + AGE_WIDTH + CLASS_WIDTH + (QUEUE_WIDTH + GAP if wide else 0)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, size in (("message", ID_WIDTH), ("account", ACCOUNT_WIDTH), ("age", AGE_WIDTH)):
        table.add_column(name, no_wrap=True, width=size)
    table.add_column("kind of reason", no_wrap=True, overflow="ellipsis", width=CLASS_WIDTH)
    if wide:
        table.add_column("queue", no_wrap=True, width=QUEUE_WIDTH)
    longest = max((len(words(each.reason)) for each in messages), default=1)  # into a file: no padding
    room = min(max(width - used - 4 * GAP, 1), max(longest, len("reason")))
    table.add_column("reason", no_wrap=not wide, overflow="fold" if wide else "ellipsis", width=room)
    for each in messages:
        table.add_row(
            words(each.message_id[:ID_WIDTH]),
            words(each.key.hierarchy_identifier if each.key else "-"),
            age(each.since, now),
            words(each.reason_class),
            *([words(each.queue)] if wide else []),
            words(each.reason),
        )
    return table


def print_message(found: Shown) -> None:
    """One message, what is known of it, and its account."""
    message = found.message
    account = message.key.hierarchy_identifier if message.key else "no account"
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
            Text.assemble("the account is ", state_text(found.record.state), " since ", moment(found.record.state_at))
        )
        console.print(history_table(found.history))


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
