"""Lambda function `stack_events`: accounts whose roles are in place ask for their connector."""

from __future__ import annotations

from typing import Any

from lambdas import bootstrap, doctor
from lambdas.batch import BatchAnswer, run_batch
from shared.adapters.aws.stack_events import read_stack_event
from shared.application.report_instance import report_instances


def handler(event: dict[str, Any], context: object) -> BatchAnswer | dict[str, Any]:
    """Answers an SQS batch, or `rollcall doctor`. Raises ConfigurationError where the deployment is wrong."""
    bootstrap.logger()
    if doctor.is_asked(event):
        return doctor.answer()
    return run_batch(
        event["Records"], read_stack_event, lambda signals: report_instances(signals, bootstrap.report_ports())
    )
