"""Client assertions: checks a foreign token against an identity's federated credentials, for real.

Source: Microsoft identity platform, workload identity federation; errors as live answers word them.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import jwt
import urllib3

from sandbox.azure.directory import Directory, FederatedCredential, Identity
from sandbox.certificates import Certificates

_CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)


class AssertionRefusedError(Exception):
    """A client assertion that Entra does not accept; `code` is the AADSTS number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class IssuerKeys:
    """The public keys of foreign issuers, read from their discovery documents over https."""

    def __init__(self, certificates: Certificates, *, cache_seconds: float = 300.0) -> None:
        self._http = urllib3.PoolManager(ssl_context=certificates.client_context(), timeout=10.0, retries=False)
        self._cache_seconds = cache_seconds
        self._cache: dict[str, tuple[float, dict[str, jwt.PyJWK]]] = {}
        self._lock = threading.Lock()

    def get(self, issuer: str, key_id: str) -> jwt.PyJWK:
        """The issuer's key of that id.

        Raises:
            AssertionRefusedError: the issuer cannot be read or does not publish the key.
        """
        with self._lock:
            read_at, keys = self._cache.get(issuer, (0.0, {}))
            if key_id not in keys or time.monotonic() - read_at > self._cache_seconds:
                keys = self._read(issuer)
                self._cache[issuer] = (time.monotonic(), keys)
        if key_id not in keys:
            reason = f"[Reason - The key was not found. Thumbprint of key used by client: '{key_id}']"
            raise AssertionRefusedError(50013, f"Assertion failed signature validation. {reason}")
        return keys[key_id]

    def _read(self, issuer: str) -> dict[str, jwt.PyJWK]:
        document = self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise AssertionRefusedError(90061, "The issuer of the discovery document is another one.")
        published = self._json(str(document.get("jwks_uri")))
        keys = [key for key in published.get("keys", ()) if key.get("kty") == "RSA"]
        return {str(key.get("kid")): jwt.PyJWK(key, algorithm="RS256") for key in keys}

    def _json(self, url: str) -> dict[str, Any]:
        if not url.startswith("https://"):
            raise AssertionRefusedError(90061, "Request to External OIDC endpoint failed: not https.")
        try:
            answer = self._http.request("GET", url)
            if answer.status != 200:
                raise AssertionRefusedError(90061, f"Request to External OIDC endpoint failed: {answer.status}.")
            document: dict[str, Any] = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, json.JSONDecodeError) as error:
            raise AssertionRefusedError(90061, "Request to External OIDC endpoint failed.") from error
        return document


class AssertionVerifier:
    """Finds out whether an assertion may stand for an identity's credential."""

    def __init__(self, directory: Directory, keys: IssuerKeys) -> None:
        self._directory = directory
        self._keys = keys

    def verify(self, identity: Identity, assertion: str) -> str:
        """Checks credential, signature and times; returns the assertion's subject.

        Raises:
            AssertionRefusedError: with the number that Entra gives for that.
        """
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise AssertionRefusedError(50027, "JWT token is invalid or malformed.") from error
        self._match(self._directory.credentials(identity), claims)
        if header.get("alg") != "RS256":
            raise AssertionRefusedError(50013, "Assertion failed signature validation. [Reason - Not RS256]")
        key = self._keys.get(str(claims["iss"]), str(header.get("kid")))
        try:
            jwt.decode(
                assertion,
                key,
                algorithms=["RS256"],
                audience=str(claims["aud"]),
                options={"require": ["exp", "iat", "iss", "sub", "aud"]},
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
            raise AssertionRefusedError(700024, _not_in_time(claims)) from error
        except jwt.InvalidTokenError as error:
            raise AssertionRefusedError(50013, "Assertion failed signature validation.") from error
        return str(claims["sub"])

    @staticmethod
    def _match(credentials: list[FederatedCredential], claims: dict[str, Any]) -> None:
        remaining = credentials
        for part, code in (("issuer", 700211), ("subject", 700213), ("audience", 700212)):
            presented = claims.get({"issuer": "iss", "subject": "sub", "audience": "aud"}[part])
            remaining = [each for each in remaining if getattr(each, part) == presented]
            if not remaining:
                text = f"No matching federated identity record found for presented assertion {part} "
                raise AssertionRefusedError(code, f"{text}'{presented}'. {_CHECK}")


def _not_in_time(claims: dict[str, Any]) -> str:
    def utc(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime(seconds))

    return (
        f"Client assertion is not within its valid time range. Current time: {utc(time.time())}, "
        f"assertion valid from {utc(float(claims.get('iat', 0)))}, "
        f"expiry time of assertion {utc(float(claims.get('exp', 0)))}."
    )
