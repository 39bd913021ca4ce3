"""What operators' HTTP functions answer: a body that nobody keeps, and a failure with its remedy."""

from __future__ import annotations

import json
from collections.abc import Mapping

import azure.functions as func

from shared.errors import RollcallError, TransientError

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def answered(
    status: int, body: str, kind: str = "application/json", headers: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """A body of that kind."""
    return func.HttpResponse(
        body, status_code=status, mimetype=kind, charset="utf-8", headers=_HEADERS | dict(headers or {})
    )


def refusal(status: int, reason: str, remedy: str) -> func.HttpResponse:
    """Why nothing was done, and what to do about it."""
    return answered(status, json.dumps({"error": {"reason": reason, "remedy": remedy}}))


def failure(error: RollcallError) -> func.HttpResponse:
    """503 where it may pass by itself, else 500."""
    return refusal(503 if isinstance(error, TransientError) else 500, error.reason, error.remedy)
