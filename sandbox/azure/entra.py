"""The Entra authority: token endpoint (client assertions only), discovery documents and signing keys.

Source: Microsoft identity platform, OAuth 2.0 client credentials flow with a federated credential; error
bodies as live answers have them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from werkzeug import Response

from sandbox.azure.assertions import AssertionRefusedError, AssertionVerifier
from sandbox.azure.directory import Directory, Identity
from sandbox.azure.exchange import Exchange, json_response
from sandbox.azure.tokens import Tokens

ARM_AUDIENCES = (
    "https://management.azure.com",
    "https://management.azure.com/",
    "https://management.core.windows.net",
    "https://management.core.windows.net/",
)
OPERATORS_AUDIENCE = "api://5d9f3c1e-7a44-4b0e-9b6c-2f1d8e6a7c30"
"""The application of the HTTP functions: whom their callers' tokens are for."""
HUB_AUDIENCE = "api://rollcall-aws"
"""An application whose tokens AWS takes: the Function App's way to the hub role."""
GOOGLE_AUDIENCE = "api://rollcall-gcp"
"""An application whose tokens Rollcall's provider at Google takes: the Function App's way to its service account."""
MONITOR_AUDIENCE = "https://monitor.azure.com/"
"""Application Insights, which takes lines, spans and figures."""
STORAGE_AUDIENCES = ("https://storage.azure.com", "https://storage.azure.com/")
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_NO_STORE = {
    "Cache-Control": "no-store, no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "x-ms-ests-server": "rollcall-sandbox",
    "x-ms-clitelem": "1,0,0,,",
}


class _RefusedError(Exception):
    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self.status, self.error, self.code, self.text = status, error, code, text


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """One tenant: who is in it, its access tokens, and whose assertions it accepts."""

    directory: Directory
    tokens: Tokens
    verifier: AssertionVerifier


class Entra:
    """Answers for `https://login.microsoftonline.com`."""

    def __init__(self, home: Tenant, authority_url: Callable[[], str]) -> None:
        """`authority_url` is asked late, because the port is known only once the service runs."""
        self._home = home
        self._tenants = {home.directory.tenant_id.lower(): home}
        self._authority_url = authority_url
        applications = {OPERATORS_AUDIENCE, HUB_AUDIENCE, GOOGLE_AUDIENCE, MONITOR_AUDIENCE}
        self.resources = {*ARM_AUDIENCES, *STORAGE_AUDIENCES, *applications}

    def add(self, tenant: Tenant) -> None:
        """Answers for another tenant, too."""
        self._tenants[tenant.directory.tenant_id.lower()] = tenant

    def answer(self, exchange: Exchange) -> Response:
        """Answers one request."""
        path = exchange.request.path.strip("/")
        named, _, rest = path.partition("/")
        if path == "common/discovery/instance":
            exchange.operation = "DiscoverInstance"
            exchange.admitted()
            return json_response(200, self._instance_discovery())
        if rest == "oauth2/v2.0/token" and exchange.request.method == "POST":
            return self._token(exchange, named)
        documents: dict[str, tuple[str, Callable[[Tenant], dict[str, Any]]]] = {
            "v2.0/.well-known/openid-configuration": ("GetOpenIdConfiguration", self._configuration),
            ".well-known/openid-configuration": ("GetOpenIdConfiguration", self._configuration),
            "discovery/v2.0/keys": ("GetKeys", lambda tenant: tenant.tokens.jwks),
            "discovery/keys": ("GetKeys", lambda tenant: tenant.tokens.jwks),
        }
        if rest not in documents or exchange.request.method != "GET":
            return json_response(404, {"error": "not_found", "error_description": "Unknown path."})
        exchange.operation, document = documents[rest]
        tenant = self._tenants.get(named.lower())
        if tenant is None:
            return self._problem(self._tenant_not_found(named))
        exchange.admitted()
        return json_response(200, document(tenant))

    def _token(self, exchange: Exchange, named: str) -> Response:
        exchange.operation = "GetToken"
        form = exchange.request.form.to_dict()
        exchange.detail = {"grant_type": form.get("grant_type"), "scope": form.get("scope")}
        try:
            tenant = self._tenants.get(named.lower())
            if tenant is None:
                raise self._tenant_not_found(named)
            identity = self._application(tenant, form)
            exchange.identity = identity.name
            resource = self._resource(form)
            exchange.detail["subject"] = self._prove(tenant, identity, form)
            exchange.admitted()
        except _RefusedError as refused:
            exchange.detail["code"] = refused.code
            return self._problem(refused)
        exchange.authentication = "bearer"
        seconds = tenant.tokens.granted_seconds
        body = {
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": tenant.tokens.mint(identity, resource, lifetime_seconds=seconds),
        }
        return json_response(200, body, _NO_STORE)

    @staticmethod
    def _application(tenant: Tenant, form: dict[str, str]) -> Identity:
        grant = form.get("grant_type")
        if grant != "client_credentials":
            text = f"The app requested an unsupported grant type '{grant}'."
            raise _RefusedError(400, "unsupported_grant_type", 70003, text)
        client_id = form.get("client_id", "")
        identity = tenant.directory.find_by_client_id(client_id)
        if identity is None:
            text = (
                f"Application with identifier '{client_id}' was not found in the directory "
                f"'{tenant.directory.tenant_id}'. This can happen if the application has not been installed by "
                "the administrator of the tenant or consented to by any user in the tenant."
            )
            raise _RefusedError(400, "unauthorized_client", 700016, text)
        return identity

    def _resource(self, form: dict[str, str]) -> str:
        scope = form.get("scope", "")
        if not scope:
            text = "The request body must contain the following parameter: 'scope'."
            raise _RefusedError(400, "invalid_request", 900144, text)
        resource = scope.removesuffix("/.default")
        if resource == scope:
            text = f"The provided value for scope {scope} is not valid: it must end in /.default."
            raise _RefusedError(400, "invalid_scope", 1002012, text)
        if resource not in self.resources:
            text = f"The resource principal named {resource} was not found in the tenant."
            raise _RefusedError(400, "invalid_resource", 500011, text)
        return resource

    @staticmethod
    def _prove(tenant: Tenant, identity: Identity, form: dict[str, str]) -> str:
        assertion = form.get("client_assertion")
        if "client_secret" in form:
            text = f"Invalid client secret provided for app '{identity.client_id}'."
            raise _RefusedError(401, "invalid_client", 7000215, text)
        if not assertion or form.get("client_assertion_type") != _JWT_BEARER:
            text = "The request body must contain: 'client_assertion' or 'client_secret'."
            raise _RefusedError(401, "invalid_client", 7000218, text)
        try:
            return tenant.verifier.verify(identity, assertion)
        except AssertionRefusedError as error:
            raise _RefusedError(error.status, error.error, error.code, error.text) from error

    @staticmethod
    def _tenant_not_found(tenant: str) -> _RefusedError:
        text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        return _RefusedError(400, "invalid_request", 90002, text)

    def _problem(self, refused: _RefusedError) -> Response:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        stamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
        body = {
            "error": refused.error,
            "error_description": (
                f"AADSTS{refused.code}: {refused.text} "
                f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
            ),
            "error_codes": [refused.code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{self._authority_url()}/error?code={refused.code}",
        }
        return json_response(refused.status, body, _NO_STORE)

    def _configuration(self, tenant: Tenant) -> dict[str, Any]:
        base = f"{self._authority_url()}/{tenant.directory.tenant_id}"
        return {
            "issuer": f"{base}/v2.0",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "response_types_supported": ["code", "id_token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        }

    def _instance_discovery(self) -> dict[str, Any]:
        base = f"{self._authority_url()}/{self._home.directory.tenant_id}"
        host = self._authority_url().removeprefix("https://")
        return {
            "tenant_discovery_endpoint": f"{base}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }
