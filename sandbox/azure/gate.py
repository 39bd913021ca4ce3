"""What every request to Resource Manager passes before a provider sees it: token, role, rate."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

from sandbox.azure.answers import forbidden, gateway_refusal
from sandbox.azure.directory import Identity
from sandbox.azure.entra import ARM_AUDIENCES
from sandbox.azure.exchange import Exchange
from sandbox.azure.throttling import Buckets, Limit, Limits
from sandbox.azure.tokens import Problem, TokenError, Tokens, issuer_of

_GLOBAL_FACTOR = 15  # the whole subscription's bucket against one principal's
_CONNECTOR_SIZED = {"securityconnectors", "automations"}  # the other types of the provider have larger buckets
_PROVIDER_COUNTER = "x-ms-ratelimit-remaining-subscription-resource-requests"
_GATEWAY_HEADERS = {
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}
_TOKEN_PROBLEMS: dict[Problem, tuple[str, str]] = {
    "missing": ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."),
    "malformed": ("InvalidAuthenticationToken", "The access token is invalid."),
    "signature": ("InvalidAuthenticationToken", "The access token is invalid."),
    "unknown-identity": ("InvalidAuthenticationToken", "The access token is invalid."),
    "not-yet-valid": ("InvalidAuthenticationToken", "The access token is invalid."),
    "issuer": (
        "InvalidAuthenticationTokenTenant",
        "The access token is from the wrong issuer '{detail}'. It must match one of the tenants '{tenant}' "
        "associated with this subscription.",
    ),
    "audience": (
        "InvalidAuthenticationTokenAudience",
        "The access token has been obtained for wrong audience or resource '{detail}'. It should exactly match with "
        f"one of the allowed audiences '{','.join(ARM_AUDIENCES)}'.",
    ),
    "expired": (
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time '{detail}' is earlier than current UTC time '{now}'.",
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
            detail = _spelt(float(error.detail)) if expired else error.detail
            message = message.format(
                now=_spelt(time.time()), detail=detail, tenant=issuer_of(self._directory.tenant_id)
            )
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
        queries = action == "QueryResources"  # a POST that reads
        limit, counter, name = self._limit("GET" if queries else method, _security_type(action))
        if not subscription_id:
            counter = counter.replace("-subscription-", "-tenant-")
        place = subscription_id.lower()
        headers = {counter: str(self.buckets.take(limit, (place, caller.object_id, name), action))}
        if place and counter != _PROVIDER_COUNTER:
            whole = Limit(limit.size * _GLOBAL_FACTOR, limit.per_second * _GLOBAL_FACTOR)
            remaining = self.buckets.take(whole, (place, name), action)
            headers[counter.replace("-subscription-", "-subscription-global-")] = str(remaining)
        return _GATEWAY_HEADERS | _request_ids() | headers

    def _limit(self, method: str, security_type: str) -> tuple[Limit, str, str]:
        limits = self.limits
        if security_type:
            reads = method == "GET"
            name = f"{security_type}-{'reads' if reads else 'writes'}"
            if security_type in _CONNECTOR_SIZED:
                return limits.connector_reads if reads else limits.connector_writes, _PROVIDER_COUNTER, name
            return limits.security_reads if reads else limits.security_writes, _PROVIDER_COUNTER, name
        kind = {"GET": "reads", "DELETE": "deletes"}.get(method, "writes")
        limit = {"reads": limits.reads, "deletes": limits.deletes, "writes": limits.writes}[kind]
        return limit, f"x-ms-ratelimit-remaining-subscription-{kind}", kind


def _security_type(action: str) -> str:
    """The resource type, in small letters, where it is one of the Security provider; each keeps its own counter."""
    namespace, _, rest = action.lower().partition("/")
    kind, _, verb = rest.partition("/")
    return kind if namespace == "microsoft.security" and verb and kind != "register" else ""


def _spelt(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%-m/%-d/%Y %-I:%M:%S %p")


def _request_ids() -> dict[str, str]:
    request_id = str(uuid.uuid4())
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return {
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"WESTEUROPE:{stamp}:{request_id}",
    }
