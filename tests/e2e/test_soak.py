"""A short soak with kills: after fifteen seconds of trouble the world is as the deeds ask; `make soak` takes longer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak.plan import plan_of
from tests.soak.run import soak

SEED, SECONDS, PACE = 4, 15.0, 3.0
LOGS = (
    *(f".sandbox/functions-{number}.log" for number in range(2)),
    *(
        f".sandbox/lambda/rollcall-{name}/function.log"
        for name in ("account-events", "stack-events", "reconcile-accounts")
    ),
    "commands.log",
)


@pytest.mark.timeout(400)
def test_a_population_that_lives_through_trouble_is_in_the_end_as_its_deeds_ask(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    done = soak(plan_of(SEED, SECONDS, pace=PACE), tmp_path)
    assert done.is_good, str(done)
    assert done.restarts.total() > 1
    assert done.struck.total() > 10
    assert [name for name in LOGS if not done.scanned.get(name)] == []
    told = f"{done.deeds.total()} deeds, {done.struck.total()} faults struck, {done.restarts.total()} restarts"
    record_property("told", f"soak: {told}, nothing lost, doubled or wrong")
