"""Google as a test plans it: answers in the place of the network, below google-auth and requests."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any

import requests
from azure.core.credentials import AccessToken
from requests.adapters import BaseAdapter

from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.credentials import GoogleIdentity, TokenRequest, federated_session
from tests.fakes.clock import FakeClock

IDENTITY = GoogleIdentity(
    audience="//iam.googleapis.com/projects/100000000001/locations/global/workloadIdentityPools/rollcall/providers/entra",
    resource="api://rollcall-gcp",
    service_account="rollcall@sample.iam.gserviceaccount.com",
)
TOKENS = {
    "exchange": {"access_token": "federated", "expires_in": 3599, "token_type": "Bearer"},
    "impersonation": {"accessToken": "impersonated", "expireTime": "2999-01-01T00:00:00Z"},
}


class EntraCredential:
    """The managed identity; `asked` are the scopes of its tokens."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for whatever is asked."""
        self.asked.extend(scopes)
        return AccessToken("entra", int(time.time()) + 600)


class PlannedAnswers(BaseAdapter):
    """Answers by who is asked: `exchange`, `impersonation` or `api`; the last planned answer is given again."""

    def __init__(self) -> None:
        super().__init__()
        self._planned: dict[str, deque[requests.Response | Exception]] = {}
        self.requests: list[requests.PreparedRequest] = []
        for who, body in TOKENS.items():
            self.plan(who, 200, body)

    def plan(self, who: str, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """The next answer of one of the three; text where `body` is one, else JSON."""
        response = requests.Response()
        response.status_code = status
        response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
        response.headers.update(headers or {})
        self._planned.setdefault(who, deque()).append(response)

    def replan(self, who: str, status: int, body: Any) -> None:
        """This answer from now on."""
        self._planned.pop(who, None)
        self.plan(who, status, body)

    def fail(self, who: str, error: Exception) -> None:
        """The network fails in the place of the next answer."""
        self._planned.setdefault(who, deque()).append(error)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """One answer."""
        self.requests.append(request)
        url = str(request.url)
        who = "impersonation" if url.endswith(":generateAccessToken") else "api"
        planned = self._planned["exchange" if url.endswith("/v1/token") else who]
        answer = planned.popleft() if len(planned) > 1 else planned[0]
        if isinstance(answer, Exception):
            raise answer
        answer.request, answer.url = request, url
        return answer

    def close(self) -> None:
        """Nothing is open."""

    def asked(self, part: str) -> int:
        """How many requests had that in their address."""
        return sum(part in str(each.url) for each in self.requests)


def planned_client(
    answers: PlannedAnswers, clock: FakeClock, credential: EntraCredential | None = None
) -> GoogleClient:
    """The real client on planned answers."""
    tokens = requests.Session()
    tokens.mount("https://", answers)
    session = federated_session(credential or EntraCredential(), IDENTITY, TokenRequest(tokens))
    session.mount("https://", answers)
    return GoogleClient(session, clock)
