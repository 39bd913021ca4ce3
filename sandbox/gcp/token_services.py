"""The Security Token Service and IAM Credentials: from Entra's token to a service account's.

Source: IAM "Workload identity federation with other clouds"; the order and the words of the refusals after a published
measurement of September 2026 (third party).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import jwt

from sandbox.gcp.answers import denied, refusal, token_refusal
from sandbox.gcp.callers import AccessTokens, Caller, federated, service_account
from sandbox.gcp.iam import Identities
from sandbox.gcp.routing import Call, Gate, Route

ClaimsOf = Callable[[str], dict[str, Any] | None]
_PROVIDER = re.compile(
    r"//iam\.googleapis\.com/((projects/([0-9]+)/locations/global/workloadIdentityPools/[^/]+)/providers/[^/]+)"
)
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"
_ACCESS = "urn:ietf:params:oauth:token-type:access_token"
_SKEW_SECONDS = 60
_LONGEST_SECONDS = 3600
_CONDITION = re.compile(r"(?:attribute\.|assertion\.|google\.)(\w+) ?== ?'([^']*)'")


class TokenServices:
    """`sts.googleapis.com` and `iamcredentials.googleapis.com`."""

    def __init__(self, gate: Gate, tokens: AccessTokens, identities: Identities, claims_of: ClaimsOf) -> None:
        """`claims_of` gives the claims of a token whose signature is the issuer's; None of any other."""
        self._gate = gate
        self._tokens = tokens
        self._identities = identities
        self._claims_of = claims_of

    def routes(self) -> list[Route]:
        """Both operations."""
        account = r"/v1/projects/-/serviceAccounts/(?P<email>[^/:]+):generateAccessToken"
        return [
            Route(id="sts.token", method="POST", path="/v1/token", handler=self._exchange),
            Route(
                id="iamcredentials.projects.serviceAccounts.generateAccessToken",
                method="POST",
                path=account,
                handler=self._generate,
            ),
        ]

    def _exchange(self, call: Call) -> Any:
        form = call.form
        if form.get("grant_type") != _GRANT or form.get("subject_token_type") != _JWT:
            raise token_refusal("invalid_request", "Invalid value for grant_type or subject_token_type.")
        if form.get("requested_token_type") != _ACCESS:
            raise token_refusal("invalid_request", "Invalid value of requested_token_type in request.")
        found = _PROVIDER.fullmatch(form.get("audience", ""))
        if found is None:
            raise token_refusal("invalid_request", 'Invalid value for "audience".')
        name, pool, number = found[1], found[2], found[3]
        claims = self._verified(self._provider(name, pool), form.get("subject_token", ""))
        lifetime = min(int(claims["exp"] - time.time()), _LONGEST_SECONDS)
        caller = federated(pool, str(claims["sub"]), number)
        return {
            "access_token": self._tokens.mint(caller, lifetime),
            "issued_token_type": _ACCESS,
            "token_type": "Bearer",
            "expires_in": lifetime,
        }

    def _provider(self, name: str, pool: str) -> dict[str, Any]:
        found = [self._identities.pools.get(pool), self._identities.providers.get(name)]
        usable = [each for each in found if each and each["state"] == "ACTIVE" and not each.get("disabled")]
        if len(usable) < len(found):
            text = (
                'The target service indicated by the "audience" parameters is invalid. This might either be because '
                "the pool or provider is disabled or deleted or because it doesn't exist."
            )
            raise token_refusal("invalid_target", text)
        return usable[1]

    def _verified(self, provider: dict[str, Any], token: str) -> dict[str, Any]:
        try:
            claimed: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError as error:
            raise token_refusal("invalid_request", "Unable to parse the ID Token.") from error
        oidc = provider["oidc"]
        if claimed.get("iss") != oidc["issuerUri"]:
            text = f"The issuer in ID Token {claimed.get('iss')} does not match the expected one in config"
            raise token_refusal("invalid_grant", text)
        allowed = oidc.get("allowedAudiences") or [f"https://iam.googleapis.com/{provider['name']}"]
        if claimed.get("aud") not in allowed:
            raise token_refusal(
                "invalid_grant",
                f"The audience in ID Token [{claimed.get('aud')}] does not match the expected audience.",
            )
        if claimed.get("exp", 0) < time.time() - _SKEW_SECONDS:
            raise token_refusal("invalid_grant", f"ID Token issued at {claimed.get('iat')} is stale to sign-in.")
        claims = self._claims_of(token)
        if claims is None:
            raise token_refusal("invalid_grant", "Unable to verify the ID Token signature.")
        if not _meets(provider, claims):
            raise token_refusal("unauthorized_client", "The given credential is rejected by the attribute condition.")
        return claims

    def _generate(self, call: Call) -> Any:
        email = call.parts["email"]
        account = self._identities.accounts.get(email)
        permission = "iam.serviceAccounts.getAccessToken"
        if account is None or not self._may_be(call.caller, email, str(account["projectId"]), permission):
            raise denied(permission, email)
        if account.get("disabled"):
            raise refusal(400, f"Service account {email} is disabled.", status="FAILED_PRECONDITION")
        seconds = int(str(call.body().get("lifetime", "3600s")).rstrip("s"))
        if not 0 < seconds <= _LONGEST_SECONDS:
            raise refusal(400, "Request contains an invalid argument: lifetime.")
        project = self._gate.hierarchy.find_project(account["projectId"])
        token = self._tokens.mint(service_account(email, project.number if project else ""), seconds)
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        return {"accessToken": token, "expireTime": until}

    def _may_be(self, caller: Caller, email: str, project_id: str, permission: str) -> bool:
        project = self._gate.hierarchy.find_project(project_id)
        above = self._gate.hierarchy.above(project.name if project else "")
        return self._gate.access.allows(caller, permission, [f"serviceAccounts/{email}", *above])


def _meets(provider: dict[str, Any], claims: dict[str, Any]) -> bool:
    """Whether the token meets the provider's condition; one that is no plain comparison is refused as not simulated."""
    condition = str(provider.get("attributeCondition", ""))
    if not condition:
        return True
    found = _CONDITION.fullmatch(condition)
    if found is None:
        raise refusal(501, f"The sandbox does not evaluate the attribute condition {condition}.")
    name = "sub" if found[1] == "subject" else found[1]
    return bool(claims.get(name) == found[2])
