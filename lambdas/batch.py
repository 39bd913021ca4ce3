"""SQS batches: every record is read, acted on together with its batch, and answered on its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from lambdas.metrics import publish_outcomes
from shared.adapters.aws.events import Ignored
from shared.application.outcome import Outcome
from shared.application.requests import correlation_id_for
from shared.domain.trace import trace_id_for
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError, quotable

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
    """Reads all records, acts once on all of them, and returns those that failed to the queue, each with a log line.

    Raises ConfigurationError, after one critical line: the whole batch goes back.
    """
    readings = {record["messageId"]: _reading(read, record["body"]) for record in records}
    signals = [found for found in readings.values() if not isinstance(found, Ignored | PermanentError)]
    try:
        results = act(signals) if signals else {}
    except ConfigurationError as error:
        logger.critical("batch_failed", extra={"outcome": "failed", **_facts(error)})
        raise
    publish_outcomes(results.values())
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    answer = process_partial_response(
        event={"Records": list(records)},
        record_handler=lambda record: _close(record.message_id, readings[record.message_id], results),
        processor=processor,
    )
    return {
        "batchItemFailures": [{"itemIdentifier": str(each["itemIdentifier"])} for each in answer["batchItemFailures"]]
    }


def _reading(read: Callable[[str], S | Ignored], body: str) -> S | Ignored | PermanentError:
    try:
        return read(body)
    except PermanentError as error:
        return error


def _close(
    message_id: str, reading: Signal | Ignored | PermanentError, results: Mapping[str, Outcome | RollcallError]
) -> None:
    """The closing line of one record. Raises what it failed with, which returns it to the queue."""
    if isinstance(reading, Ignored):
        level = logging.WARNING if reading.failed else logging.INFO
        logger.log(level, "event_ignored", extra={"message_id": message_id, "reason": quotable(reading.reason)})
        return
    account_id = "" if isinstance(reading, PermanentError) else reading.account_id
    result = reading if isinstance(reading, PermanentError) else results[account_id]
    if isinstance(result, RollcallError):
        _log_error(message_id, result, account_id)
        raise result
    logger.info("event_handled", extra={**_whose(message_id, account_id), **result.log_fields()})


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
    logger.log(level, "event_failed", extra={**_whose(message_id, account_id), "outcome": "failed", **_facts(error)})


def _whose(message_id: str, account_id: str) -> dict[str, str]:
    """The ids that the account's messages carry through both clouds."""
    told = {"message_id": message_id, "hierarchy_identifier": account_id, "correlation_id": "", "trace_id": ""}
    if account_id:
        told["correlation_id"] = correlation_id_for(account_id)
        told["trace_id"] = trace_id_for(told["correlation_id"])
    return told


def _facts(error: RollcallError) -> dict[str, str]:
    facts = {"error_class": type(error).__name__, "reason": error.reason, "remedy": error.remedy}
    return facts | {"error_key": error.key}
