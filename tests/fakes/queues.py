"""The queue `onboarding` and its poison queue, in memory."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.readiness import Retry
from shared.messages.connector_request import ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from tests.fakes.failures import Failures


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message as the queue holds it."""

    text: str
    delay_seconds: float

    @property
    def request(self) -> ConnectorRequest:
        """What it says."""
        return ConnectorRequest.from_json(self.text)


class FakeRequestQueue:
    """Keeps the text of every message, so that only what survives JSON is seen again."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.parked_texts: list[str] = []
        self.failures = Failures()

    def send(self, request: ConnectorRequest, *, delay_seconds: float = 0.0) -> None:
        """Puts a request."""
        self.failures.strike("send")
        self.sent.append(Sent(text=request.to_json(), delay_seconds=delay_seconds))

    def park(self, parked: ParkedRequest) -> None:
        """Puts a parked request."""
        self.failures.strike("park")
        self.parked_texts.append(parked.to_json())

    @property
    def requests(self) -> list[ConnectorRequest]:
        """Every request that was sent."""
        return [sent.request for sent in self.sent]

    @property
    def parked(self) -> list[ParkedRequest]:
        """Every request that was parked."""
        return [ParkedRequest.from_json(text) for text in self.parked_texts]


class FakeAccountRetries:
    """Looks at accounts that were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Retry]] = []
        self.failures = Failures()

    def ask_again(self, account_id: str, retry: Retry) -> None:
        """Asks for one."""
        self.failures.strike("ask_again")
        self.asked.append((account_id, retry))


class FakeParkedBodies:
    """What is kept apart, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.failures = Failures()

    def keep(self, digest: str, body: bytes) -> None:
        """Keeps it."""
        self.failures.strike("keep")
        self.kept[digest] = body

    def find(self, digest: str) -> bytes | None:
        """What was kept."""
        return self.kept.get(digest)
