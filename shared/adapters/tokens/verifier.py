"""Who sent a request, by the bearer token that it carries.

Source: RFC 6750 (bearer tokens); RFC 8725 (JSON Web Token best current practices); Microsoft identity platform, "Access
tokens" and "Access token claims reference"; Google Cloud, "Authentication for push subscriptions".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from shared.adapters.tokens.signing_keys import SigningKeys

ALGORITHM = "RS256"
_LEEWAY_SECONDS = 60
_MOST_CHARACTERS = 16_384


class TokenRefusedError(Exception):
    """Nobody is let in by this token; why is for our log, never for the sender."""


@dataclass(frozen=True, kw_only=True)
class IssuerProfile:
    """Whose tokens are taken, for whom they have to be made, and which of an issuer's callers may come in.

    `claims` are claims with the one value, of the same type, that each has to have; of `one_of` at least one has to be
    there. `role` is one of the claim `roles`. `times` are the claims about time that have to be there; those that
    are there count in any case.
    """

    issuers: frozenset[str]
    audiences: frozenset[str]
    claims: Mapping[str, str | bool]
    times: frozenset[str] = frozenset({"exp", "nbf"})
    one_of: frozenset[str] = frozenset()
    role: str = ""
    caller_claim: str = "sub"


class TokenVerifier:
    """Verifies tokens of one kind of caller."""

    def __init__(self, profile: IssuerProfile, keys: SigningKeys) -> None:
        """`keys` are the issuer's."""
        self._profile = profile
        self._keys = keys

    def caller(self, authorization: str | None) -> str:
        """Who an Authorization header is from. Raises TokenRefusedError, and TransientError where no key is known."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _MOST_CHARACTERS:
            raise TokenRefusedError("no bearer token")
        claims = self._verified(token)
        self._allow(claims)
        caller = claims.get(self._profile.caller_claim)
        if not isinstance(caller, str) or not caller:
            raise TokenRefusedError(f"claim {self._profile.caller_claim} is missing")
        return caller

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != ALGORITHM:
                raise TokenRefusedError("it is not signed with RS256")
            key = self._keys.find(str(header.get("kid", "")))
            if key is None:
                raise TokenRefusedError("its key is not one of the issuer's")
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=sorted(self._profile.audiences),
                issuer=sorted(self._profile.issuers),
                leeway=_LEEWAY_SECONDS,
                options={"require": [*sorted(self._profile.times), "iss", "aud"], "strict_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise TokenRefusedError(f"{type(error).__name__}: {error}") from error
        return claims

    def _allow(self, claims: Mapping[str, Any]) -> None:
        for name, value in self._profile.claims.items():
            found = claims.get(name)
            if type(found) is not type(value) or found != value:  # to Python 1 is True
                raise TokenRefusedError(f"claim {name} is not what it has to be")
        if self._profile.one_of and not any(claims.get(name) for name in self._profile.one_of):
            raise TokenRefusedError(f"it has none of the claims {', '.join(sorted(self._profile.one_of))}")
        roles = claims.get("roles")
        if self._profile.role and not (isinstance(roles, list) and self._profile.role in roles):
            raise TokenRefusedError(f"role {self._profile.role} is missing")


def operators_of(tenant_id: str, audience: str, authority_host: str) -> IssuerProfile:
    """Entra's access tokens, of both versions, of callers with the application role for operators.

    An ID token for the same application names roles, too, and is signed with the same keys: only access tokens say
    which client they were given to (`azp`, in version 1 `appid`).

    `audience` is the application's client id, or its URI `api://…`: version 2 of the tokens has the first form.
    """
    bare = audience.removeprefix("api://")
    return IssuerProfile(
        issuers=frozenset({f"https://sts.windows.net/{tenant_id}/", f"{authority_host}/{tenant_id}/v2.0"}),
        audiences=frozenset({bare, f"api://{bare}"}),
        claims={"tid": tenant_id},
        one_of=frozenset({"azp", "appid"}),
        role="Rollcall.Operator",
        caller_claim="oid",
    )


def subscription_of(audience: str, service_account: str) -> IssuerProfile:
    """Google's ID tokens for `audience`, as Pub/Sub makes them for the service account of a push subscription.

    Anybody at Google can have a token for any audience, in their own name: the name is what counts. Google does not
    say when its tokens begin, only when they were made.
    """
    return IssuerProfile(
        issuers=frozenset({"https://accounts.google.com"}),
        audiences=frozenset({audience}),
        claims={"email": service_account, "email_verified": True},
        times=frozenset({"exp", "iat"}),
    )


def keys_address(tenant_id: str, authority_host: str) -> str:
    """Where Entra publishes the keys of a tenant's tokens."""
    return f"{authority_host}/{tenant_id}/discovery/v2.0/keys"
