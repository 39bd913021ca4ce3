"""Several accounts on fakes of both clouds, with everything that is on its way between them in plain lists."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from functions.queue_entry import LAST_TRY, handle_request
from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.account_retries import retry_event
from shared.adapters.aws.events import Ignored
from shared.adapters.aws.stack_events import read_stack_event
from shared.application.deploy_accounts import deploy_accounts
from shared.application.reconcile import ReconcilePorts, Run, reconcile
from shared.application.report_instance import report_instances
from shared.domain.accounts import Account
from shared.domain.connectors import OWNER_TAG, Connector, ConnectorBody, ConnectorId
from shared.domain.ledger import Result
from shared.domain.policy import Policy
from shared.domain.stack_sets import InstanceState
from shared.errors import PermanentError, RollcallError
from shared.messages.poison import PoisonMessage
from tests.fakes.aws import FakeAccountListing, FakeManagementStacks, FakeReconcileEvents
from tests.fakes.connectors import FakeConnectors
from tests.fakes.flaky import KilledError, Trap
from tests.fixtures.read import ACCOUNT_ID, account, fixture
from tests.unit.conftest import AwsSide, AzureSide

MANAGEMENT = "100000000000"
ACCOUNTS = (ACCOUNT_ID, "222233334444", "333344445555")
MOST_RECEIVES = 5
"""Of a message of SQS; infra/aws/template.yaml."""
FLAKY_AWS = ("directory", "stack_sets", "sender", "retries", "policy")
FLAKY_AZURE = ("queue", "ledger", "connectors", "snapshot", "subscriptions", "compliance", "pacer", "policy")


@dataclass
class Message:
    """What lies on a queue: visible from `due` on, given out so often."""

    text: str
    due: datetime
    receives: int = 0


class OneEach(FakeConnectors):
    """As Azure has it: an account has one connector in the whole tenant."""

    def put(self, connector_id: ConnectorId, body: ConnectorBody) -> Connector:
        """Refuses a second one for an account."""
        named = body["properties"]["hierarchyIdentifier"]
        for each in self.everything():
            if each.hierarchy_identifier == named and not each.connector_id.same_as(connector_id):
                raise PermanentError(f"{each.connector_id} has {named}", remedy="Remove it.", key="connector-duplicate")
        return super().put(connector_id, body)


class LifeWorld:
    """Both clouds; nothing goes on by itself."""

    def __init__(self, policy: Policy) -> None:
        """All accounts are still to come."""
        self.aws, self.trap = AwsSide(policy), Trap()
        self.clock = self.aws.clock
        self.azure = AzureSide(policy, clock=self.clock, queue=self.aws.queue, connectors=OneEach())
        self._make_flaky()
        self.aws.directory.accounts.clear()
        self.aws.directory.add(account(MANAGEMENT, is_management=True, ou_path="/"))
        self.bus = FakeReconcileEvents()
        self.events: list[Message] = []
        self.stack_events: list[Message] = []
        self.messages: list[Message] = []
        self.dead_letters: list[tuple[list[Message], Message]] = []
        self.results: Counter[str] = Counter()
        self.was_connected: set[str] = set()
        self._taken = 0
        self._parked = 0
        self._numbers = itertools.count(1)

    def _make_flaky(self) -> None:
        around = self.trap.around
        self.aws.deploy = replace(
            self.aws.deploy, **{name: around(getattr(self.aws.deploy, name)) for name in FLAKY_AWS}
        )
        self.aws.report = replace(
            self.aws.report, **{name: around(getattr(self.aws.report, name)) for name in FLAKY_AWS}
        )
        self.azure.ports = replace(
            self.azure.ports, **{name: around(getattr(self.azure.ports, name)) for name in FLAKY_AZURE}
        )

    # What the clouds say

    def account(self, account_id: str) -> Account | None:
        """The account as it is; None where the organization does not list it."""
        return self.aws.directory.accounts.get(account_id)

    def become(self, account_id: str, *events: str, **facts: Any) -> None:
        """It is so from now on, and events tell of it."""
        self.aws.directory.add(replace(self.account(account_id) or account(account_id), **facts))
        self.tell(account_id, *events)

    def tell(self, account_id: str, *events: str) -> None:
        """Events of now."""
        for name in events:
            self.events.append(self._message(self._event(f"events/{name}.json", account_id)))
        self.clock.advance(3)

    def _event(self, name: str, account_id: str) -> str:
        event = json.loads(fixture(name).replace(ACCOUNT_ID, account_id))
        event["id"] = f"0f4f5b1a-3a52-4b0e-8c55-{next(self._numbers):012d}"
        event["time"] = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return json.dumps(event)

    def _message(self, text: str, delay_seconds: float = 0.0) -> Message:
        return Message(text, self.clock.now() + timedelta(seconds=delay_seconds))

    def finish(self, account_id: str, failure: str = "") -> None:
        """CloudFormation ends what it does for an account, well or with that reason, and says so."""
        instance = self.aws.stack_sets.instances.get(account_id)
        if instance is None or instance.state is not InstanceState.IN_PROGRESS:
            return
        self.aws.stack_sets.finish(account_id, InstanceState.FAILED if failure else InstanceState.CURRENT, failure)
        made = self.aws.stack_sets.instances[account_id]
        self.aws.stack_sets.instances[account_id] = replace(made, tried_at=self.clock.now() if failure else None)
        name = f"events/stack_instance.{'failed' if failure else 'succeeded'}.json"
        self.stack_events.append(self._message(self._event(name, account_id)))
        self.clock.advance(2)

    def connectors(self, account_id: str) -> list[Connector]:
        """Those that name it."""
        return [each for each in self.azure.connectors.everything() if each.hierarchy_identifier == account_id]

    def ours(self, account_id: str) -> list[Connector]:
        """Those of them that are ours."""
        organization = self.azure.source.policy.organization
        return [each for each in self.connectors(account_id) if each.organization == organization]

    def rival(self, account_id: str) -> ConnectorId:
        """Where another team's connector of the account is, or would be."""
        target = self.azure.source.policy.target
        return ConnectorId(
            subscription_id=target.subscription_id, resource_group="rg-theirs", name=f"theirs-{account_id}"
        )

    def plant_rival(self, account_id: str) -> None:
        """Another team has connected it."""
        body = {"tags": {OWNER_TAG: "o-elsewhere"}, "properties": {"hierarchyIdentifier": account_id, "offerings": []}}
        self.azure.connectors.plant(self.rival(account_id), {"location": "westeurope", **body})

    # Deliveries

    def deliver(self, pool: list[Message], chosen: Sequence[Message], *, keep: bool = False) -> None:
        """Gives these to whoever works on that queue; `keep`: they come once more."""
        self.clock.advance(1)
        for each in chosen:
            each.receives += 1
        done = self._work(pool, chosen)
        for each in chosen:
            if each in done and not keep:
                pool[:] = [other for other in pool if other is not each]
            elif each.receives >= MOST_RECEIVES and pool is not self.messages and each not in done:
                pool[:] = [other for other in pool if other is not each]
                self.dead_letters.append((pool, each))
        self._collect()

    def _work(self, pool: list[Message], chosen: Sequence[Message]) -> list[Message]:
        try:
            if pool is self.events:
                return self._batch(chosen, read_account_event, lambda found: deploy_accounts(found, self.aws.deploy))
            if pool is self.stack_events:
                return self._batch(chosen, read_stack_event, lambda found: report_instances(found, self.aws.report))
            return [each for each in chosen if self._request(each)]
        except (RollcallError, KilledError) as error:
            self.results[type(error).__name__] += 1
            return []

    def _batch(
        self, chosen: Sequence[Message], read: Callable[[str], Any], act: Callable[[list[Any]], Any]
    ) -> list[Message]:
        signals = {id(each): read(each.text) for each in chosen}
        before = dict(self.aws.stack_sets.instances)
        results = act([signal for signal in signals.values() if not isinstance(signal, Ignored)])
        for account_id in before.keys() - self.aws.stack_sets.instances.keys():
            self.stack_events.append(self._message(self._event("events/stack_instance.deleted.json", account_id)))
        for result in results.values():
            name = type(result).__name__ if isinstance(result, RollcallError) else str(result.result)
            self.results[name] += 1
        return [each for each in chosen if not isinstance(results.get(signals[id(each)].account_id), RollcallError)]

    def _request(self, message: Message) -> bool:
        sent, parked = len(self.aws.queue.sent), len(self.aws.queue.parked_texts)
        outcome = handle_request(message.text.encode(), min(message.receives, LAST_TRY), self.azure.ports)
        self.results[str(outcome.result)] += 1
        assert outcome.result is not Result.DEFERRED or len(self.aws.queue.sent) > sent, "deferred without a copy"
        assert outcome.result is not Result.PARKED or len(self.aws.queue.parked_texts) > parked, "parked nowhere"
        return True

    def _collect(self) -> None:
        sent = self.aws.queue.sent
        self.messages += [self._message(each.text, each.delay_seconds) for each in sent[self._taken :]]
        self._taken = len(sent)
        self.events += [self._message(json.dumps(retry_event(*each))) for each in self.aws.retries.asked]
        self.aws.retries.asked.clear()
        asked, self.bus.asked = self.bus.asked, []
        self.events += [self._message(self._event("events/onboarding_requested.json", each)) for each in asked]
        self.was_connected |= {each for each in ACCOUNTS if self.ours(each)}

    def refresh(self) -> None:
        """A minute has passed: the process reads the tenant's connectors anew."""
        self.clock.advance(60)
        self.azure.snapshot.refresh()

    def compare(self) -> None:
        """One run of `reconcile_accounts`, which may fail."""
        around = self.trap.around
        ports = ReconcilePorts(
            listing=around(FakeAccountListing(self.aws.directory)),
            instances=around(self.aws.stack_sets),
            management=around(FakeManagementStacks()),
            events=around(self.bus),
            sender=around(self.aws.queue),
            policy=around(self.aws.source),
            clock=self.clock,
        )
        try:
            reconcile(Run(name=f"daily-{next(self._numbers)}", source="rollcall.reconcile"), ports)
        except (RollcallError, KilledError) as error:
            self.results[f"comparison: {type(error).__name__}"] += 1
        self._collect()

    def replay(self) -> None:
        """Everything that was given up goes back where it came from, with a fresh budget."""
        for pool, message in self.dead_letters:
            pool.append(self._message(message.text))
        self.dead_letters.clear()
        for text in self.aws.queue.parked_texts[self._parked :]:
            found = PoisonMessage.read(text).request
            assert found is not None, text
            now = self.clock.now()
            self.messages.append(self._message(found.model_copy(update={"first_enqueued_at": now}).to_json()))
        self._parked = len(self.aws.queue.parked_texts)

    @property
    def waiting(self) -> list[Any]:
        """What waits for a person."""
        return self.aws.queue.parked[self._parked :]

    def drain(self, rounds: int = 60) -> bool:
        """Delivers what is on its way, as it falls due, until nothing is; False where it goes round in circles."""
        for _ in range(rounds):
            for each in ACCOUNTS:
                self.finish(each)
            for pool in (self.events, self.stack_events, self.messages):
                for message in sorted(pool, key=lambda each: each.due):
                    self.clock.advance(max(0.0, (message.due - self.clock.now()).total_seconds()))
                    self.azure.snapshot.refresh()
                    self.deliver(pool, [message])
            busy = any(each.state is InstanceState.IN_PROGRESS for each in self.aws.stack_sets.instances.values())
            if not (self.events or self.stack_events or self.messages or busy):
                return True
        return False
