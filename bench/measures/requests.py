"""What one request costs Rollcall itself, clouds left out: a new connector against one that is as it should be."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.result import Bar, Chart, Result, Table, Target
from functions.queue_entry import handle_request
from shared.adapters.policy.problems import parse_policy
from shared.application.onboard_ports import OnboardPorts
from shared.domain.ledger import Result as Outcome
from tests.fakes.aws import FakePolicySource
from tests.fakes.clock import FakeClock
from tests.fakes.connectors import FakeConnectors, FakePacer, FakeSnapshot
from tests.fakes.gcp import FakeGoogle
from tests.fakes.ledger import FakeLedger
from tests.fakes.queues import FakeParkedBodies, FakeRequestQueue
from tests.fakes.removals import FakeRemovals
from tests.fakes.subscriptions import FakeCompliance, FakeSubscriptions
from tests.fixtures.read import fixture, request

ACCOUNTS = 200  # few: the fake of the snapshot looks at all of them each time
ROUNDS, FEW_ROUNDS = 25, 3
MOST_RATIO = 5.0
"""What a new connector may cost of one that is as it should be: it alone is written and told of."""


def measure(folder: Path, *, small: bool) -> Result:
    """Handles the same requests twice on fakes: the first time a connector is created, then it is there."""
    rounds = FEW_ROUNDS if small else ROUNDS
    new, same = _medians(rounds)
    return Result(
        name="requests",
        title="One request, clouds left out",
        what="The Function App's own work for one message: parse, decide, compare, act on ports that answer at once.",
        how=(f"On the tests' fakes and sample policy; medians of {rounds} rounds of {ACCOUNTS} requests.",),
        tables=[
            Table(
                title="", head=("request", "µs"), rows=[("a new connector", new * 1e6), ("as it should be", same * 1e6)]
            )
        ],
        chart=Chart(
            title="Our own work for one request",
            unit="µs",
            bars=[Bar(label="a new connector", value=new * 1e6), Bar(label="as it should be", value=same * 1e6)],
        ),
        targets=[
            Target(
                what="new ÷ as it should be",
                value=round(new / same, 2),
                direction="at most",
                limit=MOST_RATIO,
                timed=True,
            )
        ],
    )


def _medians(rounds: int) -> tuple[float, float]:
    """Seconds for a request of each kind."""
    known = _world().policy.current().content_hash  # a differing hash would cost a warning each time
    bodies = [
        request(policy_hash=known, data={"hierarchy_identifier": f"{number:012d}"}).to_json().encode()
        for number in range(ACCOUNTS)
    ]
    created, unchanged = [], []
    for _ in range(rounds):
        ports = _world()
        ports.pacer.plan(*[0.0] * ACCOUNTS)  # type: ignore[attr-defined] # the fake's
        created.append(_seconds(bodies, ports, Outcome.CREATED))
        unchanged.append(_seconds(bodies, ports, Outcome.UNCHANGED))
    return sorted(created)[rounds // 2] / ACCOUNTS, sorted(unchanged)[rounds // 2] / ACCOUNTS


def _world() -> OnboardPorts:
    """The Function App on fakes, with the sample policy of the tests."""
    clock, connectors = FakeClock(), FakeConnectors()
    return OnboardPorts(
        queue=FakeRequestQueue(),
        bodies=FakeParkedBodies(),
        ledger=FakeLedger(),
        connectors=connectors,
        snapshot=FakeSnapshot(connectors),
        subscriptions=FakeSubscriptions(clock),
        compliance=FakeCompliance(),
        pacer=FakePacer(clock),
        removals=FakeRemovals(),
        policy=FakePolicySource(parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")),
        google=FakeGoogle(),
        clock=clock,
    )


def _seconds(bodies: Sequence[bytes], ports: OnboardPorts, wanted: Outcome) -> float:
    """Handles every message once; fails where one of them ends otherwise than `wanted`."""
    started = time.perf_counter()
    for body in bodies:
        outcome = handle_request(body, 1, ports)
        if outcome.result is not wanted:
            raise SystemExit(f"expected {wanted}, got {outcome}")
    return time.perf_counter() - started
