"""HTTP answers below the SDKs: an odd one in its turn, then whatever ends a listing, and no socket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from tests.fuzz.odd import PERSON, TOKEN

FOLDER = Path(__file__).parents[1] / "fixtures" / "fuzz" / "answers"
STATUSES = (
    *(200,) * 12,
    *(201, 202, 204, 206, 301, 304, 307, 400, 400, 401, 403, 403, 404, 404, 405, 408, 409, 409, 410, 412, 413, 416),
    *(418, 422, 425, 429, 429, 499, 500, 501, 502, 503, 503, 504, 511, 599, 600, 999),
)
JSON = {"Content-Type": "application/json; charset=utf-8"}
HEADERS: tuple[Mapping[str, str], ...] = (
    *(JSON,) * 6,
    {},
    *(
        {"Content-Type": kind}
        for kind in ("text/html", "text/plain; charset=nonsense", "application/xml", "a/b;;=", "")
    ),
    *(
        {"Content-Type": f"application/json; charset={name}"}
        for name in ("utf-16", "ascii", "utf-7", "idna", "x" * 500)
    ),
    *(
        JSON | {"Retry-After": wait}
        for wait in ("0", "5", "-1", "1e400", "nan", "99999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "x", "²", "")
    ),
    *(JSON | {"retry-after-ms": wait} for wait in ("500", "-1", "x", "1e400")),
    *(JSON | {"Content-Encoding": how} for how in ("gzip", "deflate", "br", "nonsense", "gzip, gzip")),
    JSON | {"x-ms-error-code": "ResourceNotFound"},
    JSON | {"x-ms-error-code": PERSON, "x-ms-correlation-request-id": TOKEN},
    JSON | {"x-ms-ratelimit-remaining-subscription-writes": "²", "x-ms-ratelimit-remaining-subscription-x": "9" * 5000},
    JSON | {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "99:99:99"},
    JSON | {"x-ms-user-quota-remaining": "x", "x-ms-user-quota-resets-after": "00:00:05"},
    JSON | {"WWW-Authenticate": 'Bearer claims="x", error="insufficient_claims"'},
    JSON | {"Location": "https://elsewhere.example/", "Azure-AsyncOperation": "x"},
    JSON | {"ETag": '"1"', "Content-Range": "bytes 0-9/10", "Content-Length": "10"},
    JSON | {"Content-Range": "bytes */x", "Content-MD5": "x", "Last-Modified": "x", "Date": "x"},
)
END = json.dumps({"value": [], "data": [], "access_token": "opaque", "expires_in": 3599, "token_type": "Bearer"})


@dataclass(frozen=True)
class Answer:
    """Status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def odd(cls, choice: int, body: bytes) -> Answer:
        """That of a case: what its number chooses, and its bytes."""
        status, rest = choice % len(STATUSES), choice // len(STATUSES)
        return cls(status=STATUSES[status], headers=HEADERS[rest % len(HEADERS)], body=body)


def bases_of(name: str) -> dict[str, bytes]:
    """The valid answers of a service."""
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return {key: json.dumps(body).encode() for key, body in found.items()}


class Wire:
    """In the place of the network below `requests`."""

    def __init__(self) -> None:
        self.odd = Answer(200, JSON, b"")
        self.turn = 0
        self.before = END.encode()
        self.asked: list[requests.PreparedRequest] = []

    def plan(self, odd: Answer, *, turn: int = 0, before: bytes = END.encode()) -> None:
        """The request of that number gets the odd answer, those before it a valid one, others what ends a listing."""
        self.odd, self.turn, self.before = odd, turn, before
        self.asked.clear()

    def answer(self, request: requests.PreparedRequest) -> Answer:
        """The next."""
        number = len(self.asked)
        self.asked.append(request)
        if number == self.turn:
            return self.odd
        return Answer(200, JSON, self.before if number < self.turn else END.encode())

    @contextmanager
    def instead_of_the_network(self) -> Iterator[None]:
        """Every request of `requests` comes here."""
        adapter, real = HTTPAdapter(), HTTPAdapter.send

        def send(_: HTTPAdapter, request: requests.PreparedRequest, *__: Any, **___: Any) -> requests.Response:
            given = self.answer(request)
            body = io.BytesIO(given.body)
            raw = urllib3.HTTPResponse(
                body=body, headers=dict(given.headers), status=given.status, preload_content=False, reason="r"
            )
            return adapter.build_response(request, raw)

        HTTPAdapter.send = send  # type: ignore[method-assign,assignment] # no socket is opened
        try:
            yield
        finally:
            HTTPAdapter.send = real  # type: ignore[method-assign]
