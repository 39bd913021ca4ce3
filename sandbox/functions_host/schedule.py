"""NCRONTAB: the six-field schedules of timer triggers, always in UTC.

Source: Microsoft Learn, "Timer trigger for Azure Functions", section NCRONTAB expressions, and the NCrontab
library's grammar: `{second} {minute} {hour} {day} {month} {day-of-week}`, 0 = Sunday, every field must match.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped] # it ships no types

from sandbox.functions_host.errors import HostRefusalError

_FIELDS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "day_of_week": (0, 6),
}
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "day_of_week": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


def _number(field: str, text: str) -> int:
    lowest, highest = _FIELDS[field]
    names = [name for name in _NAMES.get(field, []) if text.lower().startswith(name)]
    number = _NAMES[field].index(names[0]) + lowest if names else int(text)
    if not lowest <= number <= highest:
        raise ValueError(f"{text} is not within {lowest}-{highest} ({field})")
    return number


def _values(field: str, text: str) -> set[int]:
    """Every value that one field allows, in NCRONTAB's numbering."""
    lowest, highest = _FIELDS[field]
    values: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{item!r} is not a value, range or step ({field})")
        step = int(match["step"] or 1)
        first = _number(field, match["first"]) if match["first"] else lowest
        if match["last"]:
            last = _number(field, match["last"])
        else:  # `5/15` runs from 5 to the end of the field
            last = highest if match["first"] is None or match["step"] else first
        if step < 1 or first > last:
            raise ValueError(f"{item!r} is empty ({field})")
        values.update(range(first, last + 1, step))
    return values


class Schedule:
    """One NCRONTAB expression."""

    def __init__(self, expression: str) -> None:
        """Parses `expression`.

        Raises:
            HostRefusalError: it is not a six-field NCRONTAB expression, or it never occurs.
        """
        fields = expression.split()
        if len(fields) != len(_FIELDS):
            raise HostRefusalError(f"{expression!r} is not NCRONTAB: it needs six fields, seconds first")
        try:
            allowed = {name: _values(name, text) for name, text in zip(_FIELDS, fields, strict=True)}
        except ValueError as error:
            raise HostRefusalError(f"{expression!r} is not NCRONTAB: {error}") from error
        # APScheduler counts the days of the week from Monday, NCRONTAB from Sunday: names mean the same to both.
        days = {_NAMES["day_of_week"][number] for number in allowed.pop("day_of_week")}
        texts = {name: ",".join(str(value) for value in sorted(values)) for name, values in allowed.items()}
        self.expression = expression
        self._trigger = CronTrigger(**texts, day_of_week=",".join(sorted(days)), timezone=UTC)
        self.next_after(datetime.now(UTC))

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence later than `moment`."""
        occurrence = self._trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
        if not isinstance(occurrence, datetime):
            raise HostRefusalError(f"{self.expression!r} never occurs")
        return occurrence
