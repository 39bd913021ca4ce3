"""Lambda function `account_events`: accounts get Defender's roles, or are let go, as their present state asks."""

from __future__ import annotations

from typing import Any

import shared.adapters.policy.problems  # noqa: F401 - always needed here, and at its fastest while Lambda starts us
from lambdas import bootstrap, doctor
from lambdas.batch import BatchAnswer, run_batch
from shared.adapters.aws.account_events import read_account_event
from shared.application.deploy_accounts import deploy_accounts


def handler(event: dict[str, Any], context: object) -> BatchAnswer | dict[str, Any]:
    """Answers an SQS batch, or `rollcall doctor`. Raises ConfigurationError where the deployment is wrong."""
    bootstrap.logger()
    if doctor.is_asked(event):
        return doctor.answer()
    return run_batch(
        event["Records"], read_account_event, lambda signals: deploy_accounts(signals, bootstrap.deploy_ports())
    )
