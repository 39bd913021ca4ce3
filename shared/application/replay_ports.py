"""What the use cases about given-up messages need: their queues, and who may say what a message means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shared.application.refusals import UNREADABLE_PUSH
from shared.domain.accounts import Provider, is_project_number

if TYPE_CHECKING:
    from shared.application.accept_project_event import ProjectSignal
    from shared.application.gcp_ports import Projects
    from shared.application.ports import Clock, Ledger, PolicySource, RequestSender
    from shared.domain.ledger import AccountKey
    from shared.messages.connector_request import ConnectorRequest

HIDDEN_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A message as its queue gave it out, hidden from others for a while. `receipt` is the queue's own."""

    message_id: str
    text: str
    receipt: str
    put_at: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class GivenUp:
    """One given-up message, read. `body` is what goes back; None where that cannot be had.

    `asks` says in a word what it is about. `request` is there where it is one of the queue `onboarding`, `push` where
    it is a push of GCP's audit log that was parked and can be read; `fault` says what is wrong with the message as it
    is. `parked` is False where something else than Rollcall put it there, so that it expires.
    """

    queue: str
    taken: Taken
    body: bytes | None
    reason_class: str
    reason: str = ""
    remedy: str = ""
    key: AccountKey | None = None
    asks: str = ""
    request: ConnectorRequest | None = None
    push: ProjectSignal | None = None
    fault: str = ""
    since: datetime | None = None
    parked: bool = False

    @property
    def message_id(self) -> str:
        """The id that the queue gave it."""
        return self.taken.message_id

    @property
    def provider(self) -> Provider | None:
        """Of which cloud it is; None where nobody can tell."""
        if self.key is not None:
            return self.key.provider
        return Provider.GCP if self.push is not None or self.reason_class == UNREADABLE_PUSH.key else None

    @property
    def account(self) -> str:
        """The account's id or the project's number, as the message says; empty where it does not."""
        if self.key is not None:
            return self.key.hierarchy_identifier
        return self.push.number if self.push is not None else ""

    @property
    def project_id(self) -> str:
        """The project's id, as the message says; empty where it does not, or is about an account."""
        if self.push is not None:
            return "" if is_project_number(self.push.project) else self.push.project
        if self.request is None or self.request.data.provider is not Provider.GCP:
            return ""
        return self.request.data.name

    @property
    def never_expires(self) -> bool:
        """The service writes the year 9999 for a message that never does."""
        expires = self.taken.expires_at
        return expires is not None and expires.year > 9000  # noqa: PLR2004


class GivenUpQueue(Protocol):
    """A queue of given-up messages and the one that they came from. All methods raise TransientError."""

    @property
    def name(self) -> str:
        """How people call it."""

    def take(self, seconds: int) -> Sequence[Taken]:
        """Some messages that nobody has, hidden from others for so long; none where there are none."""

    def give_back(self, taken: Taken) -> None:
        """Shows it to others at once. One that is somebody else's by now, or gone, is left alone."""

    def remove(self, taken: Taken) -> bool:
        """Deletes it; False where it is somebody else's by now, or gone."""

    def put(self, body: bytes) -> None:
        """Puts a message on the queue that they came from."""

    def read(self, taken: Taken) -> GivenUp:
        """What the message says. Raises nothing but TransientError: what is broken has a fault."""

    def reread(self, found: GivenUp, body: bytes) -> GivenUp:
        """The same with another body."""


@dataclass(frozen=True, kw_only=True)
class ReplayPorts:
    """What replay works with. `actor` is who asks, for the history.

    `projects` opens Google Cloud, where a parked push is read again; it raises ConfigurationError.
    `hidden_seconds` is how long a message is ours; a page is worked on for half of that, then taken anew.
    """

    queues: Sequence[GivenUpQueue]
    sender: RequestSender
    ledger: Ledger
    policy: PolicySource
    clock: Clock
    actor: str
    projects: Callable[[], Projects]
    hidden_seconds: int = HIDDEN_SECONDS
