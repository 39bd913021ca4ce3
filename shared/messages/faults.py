"""What is wrong with a document, in words that may stand in a log: where and why, and nothing of what it says."""

from __future__ import annotations

from pydantic import ValidationError

from shared.errors import quotable

_LONGEST = 1000  # a message may have thousands of faults, and has to fit on the poison queue


def faults_of(error: ValueError) -> str:
    """The faults by their places; of others than pydantic's only the kind."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    told = (": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"]))) for each in error.errors())
    return quotable("; ".join(told)[:_LONGEST])  # keys stand in places
