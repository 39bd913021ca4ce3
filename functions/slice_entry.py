"""The wrapper around every message of the queue `sweep`: read, call the use case, say what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pydantic import TypeAdapter, ValidationError

from functions.queue_entry import LAST_TRY
from shared.application.notify import NotifyPorts, notify
from shared.application.sweep_ports import SweepPorts
from shared.application.sweep_slice import sweep_slice as sweep_one
from shared.errors import RollcallError
from shared.messages.faults import faults_of
from shared.messages.sweep_notice import SweepNotice
from shared.messages.sweep_slice import SweepSlice

logger = logging.getLogger(__name__)

_MESSAGE: TypeAdapter[SweepSlice | SweepNotice] = TypeAdapter(SweepSlice | SweepNotice)
"""Without a discriminator: pydantic would quote a wrong one, and the log is no place for texts of others."""


def handle_message(body: bytes, dequeue_count: int, ports: SweepPorts, notify_ports: Callable[[], NotifyPorts]) -> None:
    """Does what the message asks and says so in one line. Raises what the queue has to try again."""
    try:
        asked = _MESSAGE.validate_json(body)
    except ValidationError as error:  # nobody but us puts messages here, so nothing is lost
        logger.error("slice_unreadable", extra={"reason": faults_of(error)})  # noqa: TRY400 - one line
        return
    facts: dict[str, object] = {"run": asked.run, "dequeue_count": dequeue_count}
    if isinstance(asked, SweepNotice):
        with _failures_told(facts | {"receiver": asked.receiver}):
            notify(asked, notify_ports())
    else:
        facts |= {"slice": asked.slice}
        with _failures_told(facts):
            report = sweep_one(asked, ports, tries_left=max(LAST_TRY - dequeue_count, 0))
        logger.info("slice_done", extra=facts | {"last": report is not None})


@contextmanager
def _failures_told(facts: Mapping[str, object]) -> Iterator[None]:
    """One line about what the queue has to try again."""
    try:
        yield
    except RollcallError as error:
        told = {"error_class": type(error).__name__, "reason": error.reason, "remedy": error.remedy}
        logger.critical("slice_failed", extra={**facts, **told})
        raise
