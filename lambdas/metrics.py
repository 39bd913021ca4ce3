"""Figures for CloudWatch, as lines of the log (embedded metric format); no request is made for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from shared.application.outcome import Outcome
from shared.application.reconcile import Reconciliation
from shared.errors import RollcallError

NAMESPACE = "Rollcall"


def publish_reconciliation(found: Reconciliation) -> None:
    """Accounts that one part of a run looked at, by what was sent about them."""
    _publish(
        {"reconciled": len(found.accounts), "failed": len(found.failed)} | {str(k): v for k, v in found.totals.items()}
    )


def publish_outcomes(results: Iterable[Outcome | RollcallError]) -> None:
    """Accounts of a batch by what became of them."""
    _publish(Counter("failed" if isinstance(each, RollcallError) else str(each.result) for each in results))


def _publish(counts: dict[str, int]) -> None:
    """One line; the dimension `service` is the function's name. Nothing where there is nothing to count."""
    if not counts:
        return
    metrics = Metrics(namespace=NAMESPACE)
    for name, count in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    metrics.flush_metrics()
