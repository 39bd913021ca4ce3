"""Access tokens of the simulated Entra tenant: RS256, in the v1 form that Azure's own services get.

Source: Microsoft identity platform, access token claims reference (version 1.0, app-only tokens).
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Collection
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from sandbox.azure.directory import Directory, Identity

LIFETIME_SECONDS = 3599
_MOST_CHECKED = 1000
_BACKDATED_SECONDS = 300  # Entra dates its tokens back by five minutes

Problem = Literal[
    "missing", "malformed", "signature", "issuer", "audience", "expired", "not-yet-valid", "unknown-identity"
]


class TokenError(Exception):
    """A bearer token that a service must refuse; `malformed` is one that is no token at all.

    `detail` is the claim that is wrong, where the problem is one of a single claim.
    """

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(f"{problem}: {detail}")
        self.problem: Problem = problem
        self.detail = detail


class Tokens:
    """The signing key: mints a tenant's access tokens and checks them as every service does."""

    def __init__(self, directory: Directory, *, signing_as: Tokens | None = None) -> None:
        """Makes a new key, or takes that of another tenant: Entra signs for all of them with the same."""
        self.directory = directory
        self.granted_seconds = LIFETIME_SECONDS
        """How long what Entra and managed identities grant is good for."""
        self._key: rsa.RSAPrivateKey = (
            signing_as._key if signing_as else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        public: dict[str, Any] = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        digest = hashlib.sha256(public["n"].encode()).digest()[:20]
        self._key_id = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        self.issuer = issuer_of(directory.tenant_id)
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._key_id, "x5t": self._key_id}
        self._checked: dict[tuple[str, frozenset[str]], dict[str, Any]] = {}
        self._ended: dict[str, int] = {}
        self.jwks: dict[str, Any] = {"keys": [{**key, "n": public["n"], "e": public["e"], "issuer": self.issuer}]}

    def mint(self, identity: Identity, audience: str, *, lifetime_seconds: float = LIFETIME_SECONDS) -> str:
        """An access token of an identity for a resource (its application id URI, without `/.default`)."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": self.issuer,
            "iat": now - _BACKDATED_SECONDS,
            "nbf": now - _BACKDATED_SECONDS,
            "exp": int(now + lifetime_seconds),
            "appid": identity.client_id,
            "appidacr": "2",
            "idp": self.issuer,
            "idtyp": "app",
            "oid": identity.object_id,
            "sub": identity.object_id,
            "tid": self.directory.tenant_id,
            "uti": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
            "ver": "1.0",
        }
        if identity.app_roles:
            claims["roles"] = list(identity.app_roles)
        headers = {"kid": self._key_id, "x5t": self._key_id}
        return jwt.encode(claims, self._key, algorithm="RS256", headers=headers)

    def expire(self, identity: Identity) -> None:
        """What an identity was granted up to this second is over before its time, as by a clock that is wrong."""
        self._ended[identity.object_id] = int(time.time()) - _BACKDATED_SECONDS

    def claims_of(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that is ours and valid, for whomever; None of any other."""
        try:
            key = self._key.public_key()
            return jwt.decode(token, key, algorithms=["RS256"], issuer=self.issuer, options={"verify_aud": False})
        except jwt.InvalidTokenError:
            return None

    def identify(self, authorization: str | None, audiences: Collection[str]) -> Identity:
        """Whose bearer token an Authorization header carries.

        Raises:
            TokenError: there is none, or it must be refused.
        """
        if not authorization:
            raise TokenError("missing")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenError("malformed", "not a bearer token")
        claims = self._verified(token.strip(), audiences)
        identity = self.directory.find_by_object_id(str(claims.get("oid")))
        if identity is None:
            raise TokenError("unknown-identity", str(claims.get("oid")))
        if claims["nbf"] <= self._ended.get(identity.object_id, -1):
            raise TokenError("expired", str(claims["nbf"]))
        return identity

    def _verified(self, token: str, audiences: Collection[str]) -> dict[str, Any]:
        """The claims; a token that was good for these audiences is only asked for its time again.

        The same one comes with thousands of requests, and its signature is most of what one of them costs here.
        """
        known = self._checked.get(key := (token, frozenset(audiences)))
        if known is not None and time.time() < known["exp"]:
            return known
        claims = self._decoded(token, audiences)
        if len(self._checked) >= _MOST_CHECKED:
            self._checked.clear()
        self._checked[key] = claims
        return claims

    def _decoded(self, token: str, audiences: Collection[str]) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=list(audiences),
                issuer=self.issuer,
                options={"require": ["aud", "iss", "exp", "nbf", "oid"]},
            )
        except jwt.InvalidTokenError as error:
            raise TokenError(*_problem(token, error)) from error
        return claims


def issuer_of(tenant_id: str) -> str:
    """The issuer of a tenant's v1 tokens."""
    return f"https://sts.windows.net/{tenant_id}/"


def _problem(token: str, error: jwt.InvalidTokenError) -> tuple[Problem, str]:
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return "malformed", str(error)
    kinds: dict[type[jwt.InvalidTokenError], tuple[Problem, str]] = {
        jwt.ExpiredSignatureError: ("expired", str(claims.get("exp"))),
        jwt.ImmatureSignatureError: ("not-yet-valid", str(claims.get("nbf"))),
        jwt.InvalidAudienceError: ("audience", str(claims.get("aud"))),
        jwt.InvalidIssuerError: ("issuer", str(claims.get("iss"))),
    }
    return kinds.get(type(error), ("signature", str(error)))
