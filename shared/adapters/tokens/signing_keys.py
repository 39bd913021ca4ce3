"""The public keys of an issuer, as it publishes them. Source: OpenID Connect Discovery 1.0; RFC 7517, JWK Set."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from azure.core import PipelineClient
from azure.core.rest import HttpRequest

from shared.adapters.azure.errors import translated
from shared.adapters.azure.retries import BoundedRetryPolicy
from shared.application.ports import Clock
from shared.errors import RollcallError, TransientError

logger = logging.getLogger(__name__)

LEAST_SECONDS_BETWEEN_FETCHES = 60.0
MOST_SECONDS_KEPT = 24 * 3600.0
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class PublishedKeys:
    """A key set as it was answered; `max_age_seconds` is how long it may be kept, None where the answer is silent."""

    content: bytes
    max_age_seconds: float | None = None


class SigningKeys:
    """The RSA keys behind one address, kept as long as it says, a day at most; an unknown one is looked for at once.

    Nobody is asked more than once a minute. Whoever sends tokens with keys of their own can so neither have the
    issuer asked for each, nor keep a key that was published since from being found.
    """

    def __init__(self, fetch: Callable[[], PublishedKeys], clock: Clock) -> None:
        """`fetch` gets the key set as it is published; it raises our errors only."""
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._asked_at: float | None = None
        self._fresh_until: float | None = None
        self._lock = threading.Lock()

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key; None where the issuer has none by that id. Raises TransientError where nothing is known at all."""
        with self._lock:
            now = self._clock.now().timestamp()
            old = self._fresh_until is None or now > self._fresh_until
            if (key_id not in self._keys or old) and self._may_ask(now):
                self._refresh(now)
            if self._fresh_until is None:
                raise TransientError("the issuer's keys are not known", remedy="Try again in a minute.")
            return self._keys.get(key_id)

    def _may_ask(self, now: float) -> bool:
        return self._asked_at is None or now - self._asked_at >= LEAST_SECONDS_BETWEEN_FETCHES

    def _refresh(self, now: float) -> None:
        self._asked_at = now
        try:
            published = self._fetch()
            self._keys = _read(published.content)
        except RollcallError as error:
            if self._fresh_until is None:
                raise TransientError(error.reason, remedy=error.remedy) from error
            logger.warning("keys_not_refreshed", extra={"reason": error.reason})
            return  # those of before are as good as they were
        allowed = MOST_SECONDS_KEPT if published.max_age_seconds is None else published.max_age_seconds
        self._fresh_until = now + min(max(allowed, LEAST_SECONDS_BETWEEN_FETCHES), MOST_SECONDS_KEPT)


def _read(content: bytes) -> Mapping[str, jwt.PyJWK]:
    """The keys that can sign with RS256; others are none of ours. Raises TransientError where it is no key set."""
    try:
        found: Any = json.loads(content)["keys"]
        usable = [each for each in found if each.get("kty") == "RSA" and each.get("use", "sig") == "sig"]
        return {str(each["kid"]): jwt.PyJWK(each, algorithm="RS256") for each in usable}
    except (ValueError, LookupError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise TransientError(f"the issuer's key set cannot be read: {type(error).__name__}") from error


def published_at(address: str) -> Callable[[], PublishedKeys]:
    """Fetches a key set from its https address."""
    client: PipelineClient[Any, Any] = PipelineClient(address, policies=[BoundedRetryPolicy(retry_total=1)])

    def fetch() -> PublishedKeys:
        with translated("fetch the issuer's keys"):
            response = client.send_request(
                HttpRequest("GET", address), connection_timeout=_TIMEOUT_SECONDS, read_timeout=_TIMEOUT_SECONDS
            )
            response.raise_for_status()
            return PublishedKeys(content=response.content, max_age_seconds=freshness(response.headers))

    return fetch


def freshness(headers: Mapping[str, str]) -> float | None:
    """For how many seconds an answer may be kept; None where nothing understandable is said.

    Source: RFC 9111, sections 4.2 and 5.2.2.
    """
    said = [part.strip().lower().partition("=") for part in headers.get("Cache-Control", "").split(",")]
    directives = {name: value.strip('"') for name, _, value in said}
    if directives.keys() & {"no-store", "no-cache"}:
        return 0.0
    max_age, age = directives.get("max-age", ""), headers.get("Age", "").strip()
    if not _is_seconds(max_age):
        return None
    return float(max(int(max_age) - (int(age) if _is_seconds(age) else 0), 0))


def _is_seconds(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
