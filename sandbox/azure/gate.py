"""What every request to Resource Manager passes before a provider sees it: token, role, rate."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sandbox.azure.answers import forbidden, gateway_refusal
from sandbox.azure.directory import Identity
from sandbox.azure.entra import ARM_AUDIENCES
from sandbox.azure.exchange import Exchange
from sandbox.azure.throttling import Buckets, Limit, Limits
from sandbox.azure.tokens import Problem, TokenError, Tokens

_CONNECTOR_COUNTER = "x-ms-ratelimit-remaining-subscription-resource-requests"
_TOKEN_PROBLEMS: dict[Problem, tuple[str, str]] = {
    "missing": ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."),
    "malformed": ("InvalidAuthenticationToken", "The access token is invalid."),
    "signature": ("InvalidAuthenticationToken", "The access token is invalid."),
    "unknown-identity": ("InvalidAuthenticationToken", "The access token is invalid."),
    "issuer": ("InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer."),
    "audience": (
        "InvalidAuthenticationTokenAudience",
        "The access token has been obtained for wrong audience or resource. It should exactly match with one "
        f"of the allowed audiences '{','.join(ARM_AUDIENCES)}'.",
    ),
    "expired": (
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time is earlier than current UTC time '{now}'.",
    ),
}


class Gate:
    """Admits requests or refuses them."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._directory = tokens.directory
        self.limits = Limits()
        self.buckets = Buckets(self.limits)

    def authenticate(self, exchange: Exchange) -> Identity:
        """Whose token the request carries.

        Raises:
            RefusalError: 401, worded by what is wrong with the token.
        """
        try:
            caller = self._tokens.identify(exchange.request.headers.get("Authorization"), ARM_AUDIENCES)
        except TokenError as error:
            code, message = _TOKEN_PROBLEMS[error.problem]
            authority = f"https://login.windows.net/{self._directory.tenant_id}"
            expired = error.problem == "expired"
            text = "The access token has expired." if expired else "The authentication failed."
            challenge = f'Bearer authorization_uri="{authority}", error="invalid_token", error_description="{text}"'
            message = message.format(now=datetime.now(UTC).strftime("%-m/%-d/%Y %-I:%M:%S %p"))
            raise gateway_refusal(401, code, message, headers={"WWW-Authenticate": challenge}) from error
        exchange.identity, exchange.authentication = caller.name, "bearer"
        return caller

    def authorize(self, caller: Identity, action: str, scope: str) -> None:
        """Checks that a role of the caller contains the action.

        Raises:
            RefusalError: 403 AuthorizationFailed.
        """
        if action and not self._directory.allows(caller, action, scope):
            raise forbidden(caller.client_id, caller.object_id, action, scope)

    def take(self, caller: Identity, subscription_id: str, method: str, action: str) -> dict[str, str]:
        """Takes one request out of the caller's bucket; returns the headers that count down.

        Raises:
            RefusalError: 429 with Retry-After.
        """
        limit, counter, name = self._limit(method, connectors="/securityConnectors/" in action)
        key = (subscription_id.lower(), caller.object_id, name)
        remaining = self.buckets.take(limit, key, action)
        return _request_ids() | {counter: str(remaining)}

    def _limit(self, method: str, *, connectors: bool) -> tuple[Limit, str, str]:
        limits = self.limits
        if connectors:
            reads = method == "GET"
            limit = limits.connector_reads if reads else limits.connector_writes
            return limit, _CONNECTOR_COUNTER, f"connector-{'reads' if reads else 'writes'}"
        kind = {"GET": "reads", "DELETE": "deletes"}.get(method, "writes")
        limit = {"reads": limits.reads, "deletes": limits.deletes, "writes": limits.writes}[kind]
        return limit, f"x-ms-ratelimit-remaining-subscription-{kind}", kind


def _request_ids() -> dict[str, str]:
    request_id = str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return {
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"WESTEUROPE:{stamp}:{request_id}",
    }
