"""Requests to Google's REST interfaces: time-outs, a few tries for what reads, and only our errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

from shared.adapters.gcp import refusals
from shared.adapters.gcp.credentials import TIMEOUT_SECONDS
from shared.adapters.gcp.errors import read_failure, refusal, text_of
from shared.adapters.gcp.hosts import host_of
from shared.adapters.shapes import SHAPE_ERRORS
from shared.application.ports import Clock
from shared.errors import RollcallError, TransientError

JsonBody: TypeAlias = dict[str, Any]
Query: TypeAlias = Mapping[str, str | Sequence[str]]

_TRIES = 3
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 5.0  # a longer one is the caller's: the queue waits better
_AGAIN = frozenset({refusals.THROTTLED.key, refusals.SERVER_ERROR.key, refusals.NO_ANSWER.key})
_MOST_PAGES = 2000


@dataclass(frozen=True)
class _Asked:
    """One request; `doing` says what it is for, in words for people."""

    method: str
    service: str
    path: str
    doing: str
    query: Query | None = None
    body: JsonBody | None = None


class GoogleClient:
    """Google's services as one identity. All methods raise TransientError, PermanentError, ConfigurationError."""

    def __init__(self, session: AuthorizedSession, clock: Clock, *, endpoint: str = "") -> None:
        """`endpoint` is a sandbox's; empty for Google's own hosts."""
        self._session = session
        self._clock = clock
        self._endpoint = endpoint

    def get(self, service: str, path: str, doing: str, *, query: Query | None = None) -> JsonBody:
        """What is there."""
        return self._repeated(_Asked("GET", service, path, doing, query=query))

    def find(self, service: str, path: str, doing: str) -> JsonBody | None:
        """What is there; None where the service says that it is not."""
        try:
            return self.get(service, path, doing)
        except RollcallError as error:
            if error.key == refusals.NOT_FOUND.key:
                return None
            raise

    def pages(self, service: str, path: str, doing: str, *, query: Query | None = None) -> Iterator[JsonBody]:
        """Every page of a listing; all of them or an error."""
        asked = dict(query or {})
        for _ in range(_MOST_PAGES):
            page = self.get(service, path, doing, query=asked)
            yield page
            token = page.get("nextPageToken")
            if not token:
                return
            asked["pageToken"] = str(token)
        raise refusals.NO_ANSWER.error(f"{doing}: a listing without an end")

    def query(self, service: str, path: str, body: JsonBody, doing: str) -> JsonBody:
        """A POST that only reads."""
        return self._repeated(_Asked("POST", service, path, doing, body=body))

    def post(self, service: str, path: str, body: JsonBody, doing: str) -> JsonBody:
        """A POST that changes something: tried once, since what a lost answer did is not known."""
        return self._ask(_Asked("POST", service, path, doing, body=body))

    def _repeated(self, asked: _Asked) -> JsonBody:
        for number in range(_TRIES - 1):
            try:
                return self._ask(asked)
            except TransientError as error:
                wanted = error.retry_after_seconds
                wait = _FIRST_WAIT_SECONDS * 2**number if wanted is None else wanted
                if error.key not in _AGAIN or wait > _LONGEST_WAIT_SECONDS:
                    raise
                self._clock.sleep(wait)
        return self._ask(asked)

    def _ask(self, asked: _Asked) -> JsonBody:
        url, doing = f"{host_of(asked.service, self._endpoint)}{asked.path}", asked.doing
        try:
            response = self._session.request(
                asked.method,
                url,
                params=asked.query,
                json=asked.body,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except (requests.RequestException, GoogleAuthError, *SHAPE_ERRORS) as error:  # google-auth trusts its answers
            raise refusals.NO_ANSWER.error(f"{doing}: no answer ({type(error).__name__})") from error
        if response.status_code != requests.codes.ok:
            failure = read_failure(response.status_code, text_of(response.content))
            raise refusal(failure, doing, retry_after=response.headers.get("Retry-After"))
        try:
            found = json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise refusals.NO_ANSWER.error(f"{doing}: an answer that cannot be read") from error
        if not isinstance(found, dict):
            raise refusals.NO_ANSWER.error(f"{doing}: an answer that is no object")
        return found
