"""What one request costs Rollcall itself, clouds left out: a new connector against one that is as it should be.

Run with `make bench`. Figures are per request; quote the ratio, which holds on a noisy computer.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from functions.queue_entry import handle_request
from shared.adapters.policy.problems import parse_policy
from shared.application.onboard_ports import OnboardPorts
from shared.domain.ledger import Result
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
ROUNDS = 25


def world() -> OnboardPorts:
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


def seconds(bodies: Sequence[bytes], ports: OnboardPorts, wanted: Result) -> float:
    """Handles every message once; fails where one of them ends otherwise than `wanted`."""
    started = time.perf_counter()
    for body in bodies:
        outcome = handle_request(body, 1, ports)
        if outcome.result is not wanted:
            raise SystemExit(f"expected {wanted}, got {outcome}")
    return time.perf_counter() - started


def main() -> None:
    """Prints the medians of both and their ratio."""
    numbers = range(ACCOUNTS)
    known = world().policy.current().content_hash  # a differing hash would cost a warning each time
    bodies = [
        request(policy_hash=known, data={"hierarchy_identifier": f"{number:012d}"}).to_json().encode()
        for number in numbers
    ]
    created, unchanged = [], []
    for _ in range(ROUNDS):
        ports = world()
        ports.pacer.plan(*[0.0] * ACCOUNTS)  # type: ignore[attr-defined] # the fake's
        created.append(seconds(bodies, ports, Result.CREATED))
        unchanged.append(seconds(bodies, ports, Result.UNCHANGED))
    one, other = sorted(created)[ROUNDS // 2], sorted(unchanged)[ROUNDS // 2]
    print(f"new connector        {one / ACCOUNTS * 1e6:8.0f} µs per request (median of {ROUNDS} × {ACCOUNTS})")
    print(f"as it should be      {other / ACCOUNTS * 1e6:8.0f} µs per request")
    print(f"ratio new/unchanged  {one / other:8.2f}")


if __name__ == "__main__":
    main()
