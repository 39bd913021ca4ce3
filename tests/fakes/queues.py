"""The queue `onboarding` and its poison queue, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.adapters.queue.poison_queue import given_up
from shared.application.replay_ports import GivenUp, Taken
from shared.domain.readiness import Retry
from shared.messages.connector_request import ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from shared.messages.poison import PoisonMessage
from tests.fakes.clock import FakeClock
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


class FakeGivenUpQueue:
    """A poison queue in memory: messages that were taken come back when their time is over."""

    name = "onboarding-poison"

    def __init__(self, clock: FakeClock, *texts: str, page: int = 4) -> None:
        self.clock = clock
        self.page = page
        self.messages = {f"message-{number}": text for number, text in enumerate(texts)}
        self.hidden: dict[str, tuple[datetime, str]] = {}
        self.put_bodies: list[bytes] = []
        self.bodies = FakeParkedBodies()
        self.failures = Failures()
        self.receipts = 0
        self.expiring: set[str] = set()  # parked messages that somebody moved without care

    def take(self, seconds: int) -> list[Taken]:
        """The first that nobody has."""
        self.failures.strike("take")
        free = [each for each in self.messages if not self._is_hidden(each)][: self.page]
        found: list[Taken] = []
        for message_id in free:
            self.receipts += 1
            until = self.clock.now() + timedelta(seconds=seconds)
            self.hidden[message_id] = (until, str(self.receipts))
            text = self.messages[message_id]
            parked = PoisonMessage.read(text).parked and message_id not in self.expiring
            expires_at = datetime(9999, 12, 31, tzinfo=UTC) if parked else self.clock.now() + timedelta(days=7)
            found.append(Taken(message_id=message_id, text=text, receipt=str(self.receipts), expires_at=expires_at))
        return found

    def give_back(self, taken: Taken) -> None:
        """Shows it again."""
        self.failures.strike("give_back")
        if self._is_ours(taken):
            del self.hidden[taken.message_id]

    def remove(self, taken: Taken) -> bool:
        """Deletes it."""
        self.failures.strike("remove")
        if not self._is_ours(taken):
            return False
        del self.messages[taken.message_id]
        return True

    def put(self, body: bytes) -> None:
        """Puts it on the other queue."""
        self.failures.strike("put")
        self.put_bodies.append(body)

    def read(self, taken: Taken) -> GivenUp:
        """As the real one does."""
        found = PoisonMessage.read(taken.text)
        return given_up(self.name, taken, found.judged(self.bodies.find(found.digest)) if found.digest else found)

    def reread(self, found: GivenUp, body: bytes) -> GivenUp:
        """As the real one does."""
        return given_up(self.name, found.taken, PoisonMessage.read(found.taken.text).judged(body))

    @property
    def visible(self) -> list[str]:
        """Ids that anybody may take."""
        return [each for each in self.messages if not self._is_hidden(each)]

    def _is_hidden(self, message_id: str) -> bool:
        return message_id in self.hidden and self.clock.now() < self.hidden[message_id][0]

    def _is_ours(self, taken: Taken) -> bool:
        until_and_receipt = self.hidden.get(taken.message_id)
        return until_and_receipt is not None and until_and_receipt[1] == taken.receipt
