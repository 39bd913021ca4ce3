"""Who calls Google: service accounts, people and federated identities, and the tokens that stand for them."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

from sandbox.gcp.answers import refusal

SERVICE_ACCOUNT_DOMAIN = ".iam.gserviceaccount.com"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """One principal. `members` are all names by which a policy may mean it; `project` pays for its requests."""

    name: str
    members: frozenset[str] = field(default=frozenset())
    project: str = ""


def service_account(email: str, project: str) -> Caller:
    """A service account as a principal; `project` is the number of its project."""
    return Caller(name=email, members=frozenset({f"serviceAccount:{email}"}), project=project)


def person(email: str) -> Caller:
    """A person as a principal."""
    return Caller(name=email, members=frozenset({f"user:{email}"}))


def federated(pool: str, subject: str, project: str) -> Caller:
    """A foreign identity; `pool` is `projects/N/locations/global/workloadIdentityPools/P`."""
    one = f"principal://iam.googleapis.com/{pool}/subject/{subject}"
    return Caller(name=one, members=frozenset({one, f"principalSet://iam.googleapis.com/{pool}/*"}), project=project)


class AccessTokens:
    """Opaque access tokens, as Google's are to everybody but Google."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Caller, float]] = {}
        self._lock = threading.Lock()

    def mint(self, caller: Caller, lifetime_seconds: float) -> str:
        """A token that stands for the caller until its time is over."""
        token = f"ya29.{secrets.token_urlsafe(48)}"
        with self._lock:
            self._known[token] = caller, time.time() + lifetime_seconds
        return token

    def revoke_all(self) -> None:
        """Ends every token at once."""
        with self._lock:
            self._known.clear()

    def identify(self, authorization: str | None) -> Caller:
        """Whom an Authorization header stands for.

        Raises:
            RefusalError: 401.
        """
        scheme, _, token = (authorization or "").partition(" ")
        with self._lock:
            caller, until = self._known.get(token.strip(), (None, 0.0))
        if scheme.lower() != "bearer" or caller is None or time.time() >= until:
            text = (
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
                "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
            )
            raise refusal(401, text)
        return caller
