"""Lambda function `account_events`: new accounts get Defender's roles."""

from __future__ import annotations

from typing import Any

from lambdas import bootstrap
from lambdas.batch import BatchAnswer, run_batch
from shared.adapters.aws.events import read_account_event
from shared.application.deploy_accounts import deploy_accounts


def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Answers an SQS batch. Raises ConfigurationError where the deployment is wrong."""
    bootstrap.logger()
    return run_batch(
        event["Records"], read_account_event, lambda signals: deploy_accounts(signals, bootstrap.deploy_ports())
    )
