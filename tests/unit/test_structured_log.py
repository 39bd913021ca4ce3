"""What reaches Application Insights of a log line: its formatted text."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from functions.structured_log import FieldsFormatter, send_fields


class Worker(logging.Handler):
    """As the worker's handler: it passes on what `format` says."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sent.append(self.format(record))


@pytest.fixture
def worker() -> Iterator[Worker]:
    handler, root = Worker(), logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


def test_fields_follow_the_phrase_as_one_line_of_json(worker: Worker) -> None:
    send_fields()
    logging.getLogger("shared.application.merge_sweep").error("sweep_finished", extra={"run": "a\nb", "new": 2})
    [text] = worker.sent
    phrase, _, fields = text.partition(" ")
    assert (phrase, json.loads(fields)) == ("sweep_finished", {"run": "a\nb", "new": 2})
    assert "\n" not in text


def test_others_lines_and_lines_without_fields_stay_as_they_are(worker: Worker) -> None:
    send_fields()
    logging.getLogger("azure.core").error("theirs", extra={"secret": "x"})
    logging.getLogger("functions.test").error("ours")
    assert worker.sent == ["theirs", "ours"]


def test_a_traceback_stays_behind_the_fields(worker: Worker) -> None:
    send_fields()
    try:
        int("why")
    except ValueError:
        logging.getLogger("shared.test").exception("failed", extra={"run": "r"})
    first, *rest = worker.sent[0].splitlines()
    assert first == 'failed {"run": "r"}'
    assert rest[-1] == "ValueError: invalid literal for int() with base 10: 'why'"


def test_a_formatter_that_is_there_is_left_alone(worker: Worker) -> None:
    own = logging.Formatter("%(message)s!")
    worker.setFormatter(own)
    send_fields()
    assert worker.formatter is own
    worker.setFormatter(None)
    send_fields()
    assert isinstance(worker.formatter, FieldsFormatter)
