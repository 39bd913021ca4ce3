"""Successes whose body is none of the service's: a page of a proxy, or nothing, which the SDKs would trip over."""

from __future__ import annotations

import json
from typing import Any

from azure.core.exceptions import DecodeError


def require_object(response: Any) -> None:
    """Raises azure.core's DecodeError where a success (200, 201) has a body that is no JSON object.

    Takes a pipeline's response, so that it also serves as `raw_response_hook` of azure-core's clients.
    """
    answer = response.http_response
    if answer.status_code not in {200, 201}:
        return
    try:
        body = json.loads(answer.text())
    except ValueError as error:
        raise DecodeError(message="not JSON", response=answer, error=error) from error
    if not isinstance(body, dict):
        raise DecodeError(message="no JSON object", response=answer)
