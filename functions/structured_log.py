"""What our log lines say besides their phrase: the worker of Azure Functions passes on the text and no fields."""

from __future__ import annotations

import json
import logging

OURS = ("functions", "shared")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FieldsFormatter(logging.Formatter):
    """The phrase, and behind it as one line of JSON the fields given as `extra`; others' lines as they are."""

    def format(self, record: logging.LogRecord) -> str:
        """The text that is sent."""
        text = super().format(record)
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if not fields or record.name.partition(".")[0] not in OURS:
            return text
        phrase, line_break, rest = text.partition("\n")  # a traceback stays behind
        return f"{phrase} {json.dumps(fields, default=str)}{line_break}{rest}"


def send_fields() -> None:
    """Gives it to each handler of the root that has no formatter of its own, as the worker's has none."""
    for handler in logging.getLogger().handlers:
        if handler.formatter is None:
            handler.setFormatter(FieldsFormatter())
