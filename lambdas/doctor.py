"""What a function answers to `rollcall doctor`: what it can say of its own way to Azure."""

from __future__ import annotations

import os
from typing import Any

from lambdas import bootstrap
from shared.messages.doctor_request import REQUEST


def is_asked(event: dict[str, Any]) -> bool:
    """Whether somebody asks the function for its findings, and no queue brings it work."""
    return event == REQUEST


def answer() -> dict[str, Any]:
    """The findings, as the function's own role. Raises ConfigurationError where a setting is missing."""
    from shared.application.doctor.lambdas import own_verdicts
    from shared.messages.doctor_findings import findings_document

    return findings_document(own_verdicts(bootstrap.doctor_side(os.environ["AWS_LAMBDA_FUNCTION_NAME"])))
