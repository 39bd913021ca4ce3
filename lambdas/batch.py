"""SQS batches: every record is read, acted on together with its batch, and answered on its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from lambdas.metrics import publish_outcomes
from shared.adapters.aws.events import Ignored
from shared.application.outcome import Outcome
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError

logger = logging.getLogger(__name__)


class Signal(Protocol):
    """What a record says: at least which account it is about."""

    @property
    def account_id(self) -> str:
        """The account."""


S = TypeVar("S", bound=Signal)
_LEVELS = {TransientError: logging.WARNING, ConfigurationError: logging.CRITICAL}
BatchAnswer = dict[str, list[dict[str, str]]]
"""`{"batchItemFailures": [{"itemIdentifier": …}]}`. Source: Lambda developer guide, SQS error handling."""


def run_batch(
    records: Sequence[Mapping[str, Any]],
    read: Callable[[str], S | Ignored],
    act: Callable[[Sequence[S]], Mapping[str, Outcome | RollcallError]],
) -> BatchAnswer:
    """Reads all records, acts once, and returns those that failed to the queue, with a log line for each.

    Raises ConfigurationError, after one critical line: the whole batch goes back.
    """
    signals: list[tuple[str, S]] = []
    failed: list[str] = []
    for record in records:
        message_id = record["messageId"]
        try:
            found = read(record["body"])
        except PermanentError as error:
            failed.append(message_id)
            _log_error(message_id, error)
            continue
        if isinstance(found, Ignored):
            level = logging.WARNING if found.failed else logging.INFO
            logger.log(level, "event_ignored", extra={"message_id": message_id, "reason": found.reason})
        else:
            signals.append((message_id, found))
    try:
        results = act([signal for _, signal in signals]) if signals else {}
    except ConfigurationError as error:
        logger.critical("batch_failed", extra={"outcome": "failed", **_facts(error)})
        raise
    publish_outcomes(results.values())
    for message_id, signal in signals:
        result = results[signal.account_id]
        if isinstance(result, RollcallError):
            failed.append(message_id)
            _log_error(message_id, result, signal.account_id)
        else:
            fields = {"message_id": message_id, "hierarchy_identifier": signal.account_id}
            logger.info("event_handled", extra={**fields, **result.log_fields()})
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


@contextmanager
def logged(message_id: str) -> Iterator[None]:
    """Lets every error of ours through, after one line about it."""
    try:
        yield
    except RollcallError as error:
        _log_error(message_id, error)
        raise


def _log_error(message_id: str, error: RollcallError, account_id: str = "") -> None:
    level = _LEVELS.get(type(error), logging.ERROR)
    fields = {"message_id": message_id, "hierarchy_identifier": account_id, "outcome": "failed"}
    logger.log(level, "event_failed", extra=fields | _facts(error))


def _facts(error: RollcallError) -> dict[str, str]:
    facts = {"error_class": type(error).__name__, "reason": error.reason, "remedy": error.remedy}
    return facts | {"error_key": error.key}
