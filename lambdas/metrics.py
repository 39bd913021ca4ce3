"""Figures for CloudWatch, as lines of the log (embedded metric format); no request is made for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from shared.application.outcome import Outcome
from shared.errors import RollcallError

if TYPE_CHECKING:
    from shared.application.reconcile import Reconciliation

NAMESPACE = "Rollcall"


def publish_reconciliation(found: Reconciliation) -> None:
    """Accounts that one part of a run looked at, by what was sent about them; and whether the run came to its end."""
    counts = {
        "reconciled": len(found.accounts),
        "failed": len(found.failed),
        "runs_completed": int(found.after is None),
    }
    _publish(counts | {str(signal): count for signal, count in found.totals.items()})


def publish_outcomes(results: Iterable[Outcome | RollcallError]) -> None:
    """Accounts of a batch by what became of them, and how long those that are not ready have waited already."""
    known = list(results)
    used = [each.budget_used for each in known if isinstance(each, Outcome) and each.budget_used is not None]
    counts = Counter("failed" if isinstance(each, RollcallError) else str(each.result) for each in known)
    _publish(counts, budget_used=max(used, default=None))


def _publish(counts: dict[str, int], *, budget_used: float | None = None) -> None:
    """One line; the dimension `service` is the function's name. Nothing where there is nothing to count."""
    if not counts:
        return
    metrics = Metrics(namespace=NAMESPACE)
    for name, count in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    if budget_used is not None:
        metrics.add_metric(name="readiness_budget_used", unit=MetricUnit.Percent, value=round(100 * budget_used, 1))
    metrics.flush_metrics()
