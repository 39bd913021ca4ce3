"""The managed-identity endpoint of App Service and Functions, one header value for each host.

Source: App Service "Connect to Azure services in app code", REST endpoint reference, 2019-08-01.
"""

from __future__ import annotations

import secrets
import time
import uuid

from werkzeug import Response

from sandbox.azure.directory import Directory, Identity
from sandbox.azure.exchange import Exchange, json_response
from sandbox.azure.tokens import Tokens

API_VERSION = "2019-08-01"


class ManagedIdentityEndpoint:
    """Hands out tokens of the identities that are attached to a host, by the host's secret header."""

    def __init__(self, directory: Directory, tokens: Tokens, resources: set[str]) -> None:
        """`resources` are the application id URIs that the tenant knows."""
        self._directory = directory
        self._tokens = tokens
        self._resources = resources
        self._hosts: dict[str, tuple[str, ...]] = {}

    def attach(self, *identities: str) -> str:
        """Attaches identities to a new host; returns its value for `IDENTITY_HEADER`."""
        header = secrets.token_hex(16)
        self._hosts[header] = identities
        return header

    def answer(self, exchange: Exchange) -> Response:
        """Answers one request."""
        request = exchange.request
        exchange.operation = "GetToken"
        arguments = request.args
        exchange.detail = {"resource": arguments.get("resource"), "client_id": arguments.get("client_id")}
        names = self._hosts.get(request.headers.get("X-IDENTITY-HEADER", ""))
        if names is None:
            return _problem(401, "The X-IDENTITY-HEADER header is missing or wrong.")
        if request.method != "GET" or arguments.get("api-version") != API_VERSION:
            return _problem(400, f"The api-version must be {API_VERSION}.")
        resource = arguments.get("resource", "")
        if resource not in self._resources:
            return _problem(400, f"The resource '{resource}' is missing or unknown.")
        identity = self._identity(names, arguments.get("client_id"))
        if identity is None:
            # A host with user-assigned identities only answers so when no client id is given, too.
            return _problem(400, "No Managed Identity found for specified ClientId/ResourceId/PrincipalId.")
        exchange.identity = identity.name
        exchange.admitted()
        seconds = self._tokens.granted_seconds
        body = {
            "access_token": self._tokens.mint(identity, resource, lifetime_seconds=seconds),
            "client_id": identity.client_id,
            "expires_on": str(int(time.time()) + seconds),
            "resource": resource,
            "token_type": "Bearer",
        }
        return json_response(200, body)

    def _identity(self, names: tuple[str, ...], client_id: str | None) -> Identity | None:
        attached = [self._directory.get(name) for name in names]
        if client_id is None:
            return next((each for each in attached if each.kind == "system-assigned"), None)
        return next((each for each in attached if each.client_id == client_id.lower()), None)


def _problem(status: int, message: str) -> Response:
    return json_response(status, {"statusCode": status, "message": message, "correlationId": str(uuid.uuid4())})
