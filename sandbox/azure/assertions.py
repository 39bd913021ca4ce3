"""Client assertions: checks a foreign token against an identity's federated credentials, for real.

Source: Microsoft identity platform, workload identity federation; errors as live answers word them
(AADSTS700213 recorded in 2026; 5002727, 5002738, 7000272, 700024 and 50166 quoted in public issues from 2021
to 2025; 50027 in the published list of codes; only the number of 7000274 is public).
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
_ALGORITHM = "RS256"  # the only one that the documentation promises
_TYPES = ("JWT", "http://openid.net/specs/jwt/1.0")


class AssertionRefusedError(Exception):
    """A client assertion that Entra does not accept; `code` is the AADSTS number.

    A token that cannot be read is an `invalid_request` (400), one that proves nothing an `invalid_client` (401).
    """

    def __init__(self, code: int, text: str, *, status: int = 401) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.status = status

    @property
    def error(self) -> str:
        """The OAuth 2.0 word for it."""
        return "invalid_client" if self.status == 401 else "invalid_request"


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
            text = (
                f"The certificate with identifier {key_id} used to sign the federated credential could not be found "
                f"in the metadata of identity provider {issuer}. Please validate that your Identity Provider's "
                "metadata exposes the key used to sign the incoming token."
            )
            raise AssertionRefusedError(7000272, text)
        return keys[key_id]

    def forget(self) -> None:
        """Reads every issuer anew."""
        with self._lock:
            self._cache.clear()

    def _read(self, issuer: str) -> dict[str, jwt.PyJWK]:
        document = self._json(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise _unreachable()
        published = self._json(str(document.get("jwks_uri")))
        keys = [key for key in published.get("keys", ()) if key.get("kty") == "RSA"]
        return {str(key.get("kid")): jwt.PyJWK(key, algorithm="RS256") for key in keys}

    def _json(self, url: str) -> dict[str, Any]:
        if not url.startswith("https://"):
            raise _unreachable()
        try:
            answer = self._http.request("GET", url)
            if answer.status != 200:
                raise _unreachable()
            document: dict[str, Any] = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, json.JSONDecodeError) as error:
            raise _unreachable() from error
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
        header, claims = _read(assertion)
        self._match(self._directory.credentials(identity), claims)
        key = self._keys.get(str(claims["iss"]), str(header.get("kid")))
        try:
            jwt.decode(assertion, key, algorithms=[_ALGORITHM], audience=str(claims["aud"]))
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
            raise AssertionRefusedError(700024, _not_in_time(claims)) from error
        except jwt.InvalidTokenError as error:
            text = "The signature of the federated credential is not that of the key which its header names."
            raise AssertionRefusedError(7000274, text) from error
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


def _read(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, neither proved yet."""
    try:
        header = jwt.get_unverified_header(assertion)
        options: Any = {"verify_signature": False, "require": ["iss", "sub", "aud", "exp"]}
        claims: dict[str, Any] = jwt.decode(assertion, options=options)
    except jwt.InvalidTokenError as error:
        raise _malformed() from error
    if not all(isinstance(claims[name], str) for name in ("iss", "sub")) or not isinstance(claims["exp"], int | float):
        raise _malformed()
    if header.get("typ", "JWT") not in _TYPES:
        text = f"Invalid JWT header type specified, must be '{_TYPES[0]}' or '{_TYPES[1]}'."
        raise AssertionRefusedError(5002727, text, status=400)
    if header.get("alg") != _ALGORITHM:
        text = f"Invalid JWT token. '{header.get('alg')}' is not a supported signature algorithm."
        raise AssertionRefusedError(5002738, text, status=400)
    return header, claims


def _malformed() -> AssertionRefusedError:
    return AssertionRefusedError(50027, "JWT token is invalid or malformed.", status=400)


def _unreachable() -> AssertionRefusedError:
    return AssertionRefusedError(50166, "Request to External OIDC endpoint failed.", status=400)


def _not_in_time(claims: dict[str, Any]) -> str:
    def utc(seconds: float) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime(seconds))

    return (
        f"Client assertion is not within its valid time range. Current time: {utc(time.time())}, "
        f"assertion valid from {utc(float(claims.get('nbf', 0)))}, "
        f"expiry time of assertion {utc(float(claims['exp']))}. "
        "Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
    )
