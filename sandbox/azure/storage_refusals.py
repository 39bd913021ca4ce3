"""How the storage services say no: XML for queues and blobs, JSON for tables; a challenge where nobody signed in."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

from werkzeug import Response

from sandbox.azure.entra import STORAGE_AUDIENCES

API_VERSION = "2024-11-04"
_KNOWN = {
    "NoAuthenticationInformation": (
        401,
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
    ),
    "InvalidAuthenticationInfo": (
        400,
        "Authentication information is not given in the correct format. Check the value of Authorization header.",
    ),
    "InvalidAuthenticationInfo, token": (
        401,
        "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
    ),
    "AuthorizationPermissionMismatch": (
        403,
        "This request is not authorized to perform this operation using this permission.",
    ),
    "InternalError": (500, "The server encountered an internal error. Please retry the request."),
    "ServerBusy": (503, "The server is currently unable to receive requests. Please retry your request."),
    "UnsupportedHttpVerb": (405, "The resource doesn't support specified Http Verb."),
}
_UNAUTHORIZED = 401


class Refusals:
    """Those of one service of the account."""

    def __init__(self, service: str, tenant_id: str) -> None:
        self._service = service
        self._tenant_id = tenant_id

    def of(self, code: str) -> Response:
        """A refusal that every service knows."""
        return self.worded(code.partition(",")[0], *_KNOWN[code])

    def worded(self, code: str, status: int, message: str) -> Response:
        """Any refusal, in the service's own form."""
        request_id = str(uuid.uuid4())
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        text = f"{message}\nRequestId:{request_id}\nTime:{now}"
        if self._service == "table":
            error = {"code": code, "message": {"lang": "en-US", "value": text}}
            response = Response(json.dumps({"odata.error": error}), status=status)
            response.content_type = "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
        else:
            body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
            response = Response(f'<?xml version="1.0" encoding="utf-8"?>{body}', status=status)
            response.content_type = "application/xml"
        response.headers["x-ms-error-code"] = code
        response.headers["x-ms-request-id"] = request_id
        response.headers["x-ms-version"] = API_VERSION
        if status == _UNAUTHORIZED:
            authority = f"https://login.microsoftonline.com/{self._tenant_id}/oauth2/authorize"
            challenge = f"Bearer authorization_uri={authority} resource_id={STORAGE_AUDIENCES[0]}"
            response.headers["WWW-Authenticate"] = challenge
        return response
