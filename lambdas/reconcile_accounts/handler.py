"""Lambda function `reconcile_accounts`: once a day, and on demand, every account is looked at."""

from __future__ import annotations

from typing import Any

import shared.adapters.policy.problems  # noqa: F401 - always needed here, and at its fastest while Lambda starts us
from lambdas import bootstrap, doctor
from lambdas.batch import logged
from lambdas.metrics import publish_reconciliation
from shared.adapters.aws.reconcile_events import read_reconcile_event
from shared.application.reconcile import reconcile_part


def handler(event: dict[str, Any], context: object) -> dict[str, Any] | None:
    """Does one part of a run, or answers `rollcall doctor`.

    What goes wrong is raised: the message comes again, at most five times.
    """
    bootstrap.logger()
    if doctor.is_asked(event):
        return doctor.answer()
    [record] = event["Records"]
    with logged(record["messageId"]):
        part = read_reconcile_event(record["body"])
        publish_reconciliation(reconcile_part(bootstrap.reconcile_run(part), bootstrap.reconcile_ports()))
    return None
