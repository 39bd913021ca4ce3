"""Receivers that keep what they are told, and a sweep's world with two of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from shared.application.notify import NotifyPorts, Outcome, notify
from shared.domain.notice import Notice
from shared.domain.policy import Notification, ReceiverKind
from shared.domain.sweep.report import SweepReport
from shared.errors import RollcallError
from tests.fakes.sweep import SweepWorld

TEAMS, WEBHOOK = "ROLLCALL_NOTIFY_TEAMS", "ROLLCALL_NOTIFY_SIEM"


RECEIVERS = (
    Notification(kind=ReceiverKind.TEAMS, setting=TEAMS),
    Notification(kind=ReceiverKind.WEBHOOK, setting=WEBHOOK),
)


@dataclass
class FakeNotifier:
    """Keeps what it is told, and fails as planned before."""

    told: list[Notice] = field(default_factory=list)
    failures: list[RollcallError] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def tell(self, notice: Notice) -> None:
        """Keeps it."""
        if self.meanwhile:
            self.meanwhile.pop()()
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(notice)


class Told:
    """A sweep's world with both receivers."""

    def __init__(self, world: SweepWorld) -> None:
        self.world = world
        self.receive(*RECEIVERS)
        self.notifiers = {each.setting: FakeNotifier() for each in RECEIVERS}

    def find(self, receiver: Notification) -> FakeNotifier:
        """The one of that setting."""
        return self.notifiers[receiver.setting]

    def receive(self, *receivers: Notification) -> None:
        """The policy names these."""
        self.world.source.policy = replace(self.world.source.policy, notifications=receivers)

    @property
    def ports(self) -> NotifyPorts:
        """What telling works with."""
        world = self.world
        return NotifyPorts(
            documents=world.documents,
            ledger=world.ledger,
            slices=world.queue,
            policy=world.source,
            receivers=self,
            clock=world.clock,
        )

    def sweep(self) -> SweepReport:
        """A sweep of the next day, and nobody told of it yet."""
        report = self.world.sweep()
        self.world.clock.advance(86_000)
        assert report is not None
        return report

    def deliver(self, receiver: str = TEAMS) -> list[Outcome]:
        """Every message for the receiver, with those that come of it; the others' stay."""
        outcomes = []
        while mine := [each for each in self.world.queue.notices if each[0].receiver == receiver]:
            self.world.queue.notices.remove(mine[0])
            outcomes.append(notify(mine[0][0], self.ports))
        return outcomes

    def last(self, receiver: str = TEAMS) -> Notice:
        """What it was told last."""
        return self.notifiers[receiver].told[-1]


def lose(world: SweepWorld, account_id: str) -> None:
    """The account's connector is gone."""
    world.tenant.connectors = [each for each in world.tenant.connectors if each.hierarchy_identifier != account_id]
