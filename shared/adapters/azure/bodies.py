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
    except (ValueError, LookupError, RecursionError) as error:
        raise DecodeError(message="not JSON", response=answer, error=error) from error
    if not isinstance(body, dict):
        raise DecodeError(message="no JSON object", response=answer)


def objects_in(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects under that name; empty where nothing is. Raises TypeError where it is another thing."""
    found = answer.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise TypeError(f"{name} is no list of objects")
    return found


def text_in(answer: dict[str, Any], name: str) -> str:
    """The text under that name; empty where nothing is. Raises TypeError where it is another thing."""
    found = answer.get(name) or ""
    if not isinstance(found, str):
        raise TypeError(f"{name} is no text")
    return found


def checked_connector(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a connector, whose parts are what use cases take them for. Raises TypeError where they are not."""
    properties = body.get("properties") or {}
    data = properties.get("environmentData") if isinstance(properties, dict) else None
    offerings = properties.get("offerings") if isinstance(properties, dict) else None
    if any(not isinstance(each or {}, dict) for each in (properties, data, body.get("tags"))):
        raise TypeError("a part of the connector is no object")
    if not isinstance(offerings or [], list) or not all(isinstance(each, dict) for each in offerings or []):
        raise TypeError("offerings is no list of objects")
    return body
