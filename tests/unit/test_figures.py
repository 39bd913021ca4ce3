"""The figures that Azure Monitor gets are those that stand in the log lines."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from functions.figures import FIGURES, FigureHandler
from shared.domain.arrival import NEW_FOR

logger = logging.getLogger("shared.test_figures")


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    found = InMemoryMetricReader()
    provider = MeterProvider([found])
    handler = FigureHandler(provider.get_meter("test"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield found
    logger.removeHandler(handler)
    provider.shutdown()


def value_of(point: object) -> float:
    if isinstance(point, HistogramDataPoint):
        return point.sum
    assert isinstance(point, NumberDataPoint)
    return point.value


def read(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], float]]]:
    """Name → dimensions and value, of a histogram its sum."""
    data = reader.get_metrics_data()
    return {
        metric.name: [(dict(point.attributes or {}), value_of(point)) for point in metric.data.data_points]
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def handled(**fields: Any) -> None:
    logger.info("request_handled", extra={"provider": "aws", "operation": "connect"} | fields)


def test_requests_are_counted_by_what_became_of_them(reader: InMemoryMetricReader) -> None:
    for outcome in ("created", "created", "parked"):
        handled(outcome=outcome)
    whose = {"provider": "aws", "operation": "connect"}
    assert read(reader)["rollcall.requests"] == [
        (whose | {"outcome": "created"}, 2),
        (whose | {"outcome": "parked"}, 1),
    ]


def test_an_account_that_is_new_is_timed_and_one_that_was_there_before_is_not(reader: InMemoryMetricReader) -> None:
    handled(outcome="created", seconds_since_joined=240.5)
    handled(outcome="created", seconds_since_joined=NEW_FOR.total_seconds() + 1)
    handled(outcome="unchanged")
    assert read(reader)["rollcall.time_to_connected"] == [({"provider": "aws"}, 240.5)]


def test_findings_are_told_by_kind_and_standing_and_the_newest_sweep_counts(reader: InMemoryMetricReader) -> None:
    for new in (3, 1):
        figures = {"new": new, "still": 2, "unseen": 0, "resolved": 0}
        logger.info("sweep_findings", extra={"run": "r", "key": "connector-missing", "area": "coverage", **figures})
    kind = {"key": "connector-missing", "area": "coverage"}
    found = {
        each["standing"]: value for each, value in read(reader)["rollcall.findings"] if kind.items() <= each.items()
    }
    assert found == {"new": 1, "still": 2, "unseen": 0, "resolved": 0}


def test_a_line_that_no_figure_comes_from_or_that_lacks_the_field_changes_nothing(reader: InMemoryMetricReader) -> None:
    logger.info("something_else", extra={"left": 3})
    logger.info("resource_manager_budget", extra={"counter": "writes"})
    assert read(reader) == {}


def test_a_field_that_is_no_number_stops_nobody(
    reader: InMemoryMetricReader, capsys: pytest.CaptureFixture[str]
) -> None:
    handled(outcome="created", seconds_since_joined=None)
    handled(outcome="created", seconds_since_joined="soon")
    assert "rollcall.time_to_connected" not in read(reader)
    assert "Logging error" in capsys.readouterr().err


def test_no_two_figures_have_one_name_and_none_is_about_one_account() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    for figure in FIGURES:
        assert figure.name.startswith("rollcall.")
        assert not {"hierarchy_identifier", "message_id", "correlation_id", "run", "reason"} & set(figure.by)
