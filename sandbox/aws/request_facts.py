"""What an AWS request is: service, operation, who signed it, and the resource that it names."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

_CREDENTIAL = re.compile(r"Credential=([^/\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_CBOR_PATH = re.compile(r"/service/[^/]+/operation/([^/]+)$")  # Smithy RPC v2
_SERVICES = {"AmazonSQS": "sqs", "AWSEvents": "events", "AWSOrganizationsV20161128": "organizations"}


@dataclass(frozen=True)
class RequestFacts:
    """One request. `operation` is the API's name (`CreateStackInstances`), `parameters` what it was given."""

    service: str
    operation: str
    access_key_id: str | None
    region: str
    protocol: str
    parameters: dict[str, Any]


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read()
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _flat(text: str) -> dict[str, Any]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _routed(service: str, environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The operation of a REST service, by its model's method and path."""
    try:
        operation, parameters = get_service_router(service).match(Request(environ.copy()))
    except (NotFound, NotImplementedError):
        return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}", {}
    return operation.name, dict(parameters)


def facts_of(environ: dict[str, Any]) -> RequestFacts:
    """Reads a WSGI request without consuming it."""
    body = _body(environ)
    query = str(environ.get("QUERY_STRING", ""))
    signature = environ.get("HTTP_AUTHORIZATION", "") or "Credential=" + _flat(query).get("X-Amz-Credential", "")
    signed = _CREDENTIAL.search(signature)
    key, region, service = signed.groups() if signed else (None, "us-east-1", "")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        prefix, _, operation = target.partition(".")
        service = service or _SERVICES.get(prefix, prefix.lower())
        return RequestFacts(service, operation, key, region, "json", _json_object(body))
    form = str(environ.get("CONTENT_TYPE", "")).startswith("application/x-www-form-urlencoded")
    given = _flat(body.decode() if form else query)
    if "Action" in given:
        service = service or ("sts" if given["Action"].startswith("AssumeRole") else "unknown")
        return RequestFacts(service, given["Action"], key, region, "query", given)
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor" and (called := _CBOR_PATH.search(environ["PATH_INFO"])):
        return RequestFacts(service, called[1], key, region, "cbor", {})
    service = service or "s3"
    operation, parameters = _routed(service, environ)
    protocol = "rest-xml" if service == "s3" else "rest-json"
    return RequestFacts(service, operation, key, region, protocol, parameters)
