"""A burst of accounts, two Functions hosts, one subscription: what of Resource Manager's budget is used.

`python -m tests.e2e.burst` prints the figures of a paced burst, and of one without pacing to compare with.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.azure.throttling import Limit
from tests.e2e.roll import Roll, running, wait_until

SPARE_WRITES = 10
"""How far the pacer's burst stays below what is granted: two processes keep a block of five each for later."""
THROTTLED = 429
CREATED = 201


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What the journal says of a burst. `bound_seconds` is the least that Resource Manager's budget allows for it."""

    accounts: int
    connected: int
    puts: int
    throttled: int
    seconds: float
    bound_seconds: float
    hosts_at_work: int

    @property
    def throttled_share(self) -> float:
        """The part of all PUTs that was answered 429."""
        return self.throttled / self.puts if self.puts else 0.0


def burst(folder: Path, *, accounts: int, rate: float, size: int, paced: bool = True) -> Burst:
    """Creates `accounts` at once; Resource Manager grants exactly `size` writes and `rate` more per second."""
    pacing: dict[str, Any] = {"pacing_writes_per_second": rate, "pacing_burst": max(1, size - SPARE_WRITES)}
    unpaced: dict[str, Any] = {"pacing_writes_per_second": 10_000.0, "pacing_burst": 10_000}
    settings = pacing if paced else unpaced
    with running(folder, function_hosts=2, stack_instance_seconds=0.1, **settings) as roll:
        limits = roll.sandbox.azure.resource_manager.limits
        limits.connector_writes = Limit(size=size, per_second=rate)
        requests = [roll.ask_for_account(f"burst-{number:03d}") for number in range(accounts)]
        created = {roll.wait_for_account(request) for request in requests}
        wait_until(lambda: connected(roll) >= created, "every account is connected", 60 + 3 * accounts / rate)
        return measured(roll, created, bound_seconds=max(0.0, (accounts - size) / rate))


def connected(roll: Roll) -> set[str]:
    """The accounts that the ledger calls connected."""
    return {record.key.hierarchy_identifier for record in roll.ledger.list_records() if record.state == "connected"}


def measured(roll: Roll, created: set[str], *, bound_seconds: float) -> Burst:
    """The figures of a burst, from the journal; who worked on it, from the hosts' logs."""
    puts = roll.journal.entries(operation="arm:PutSecurityConnector")
    made = [entry.time for entry in puts if entry.status == CREATED]
    at_work = sum('"request_handled"' in host.log.read_text("utf-8") for host in roll.sandbox.function_hosts)
    return Burst(
        accounts=len(created),
        connected=len(created & connected(roll)),
        puts=len(puts),
        throttled=sum(entry.status == THROTTLED for entry in puts),
        seconds=(max(made) - min(made)).total_seconds(),
        bound_seconds=bound_seconds,
        hosts_at_work=at_work,
    )


def main() -> None:
    """Prints both bursts."""
    print("| burst | accounts | connected | PUTs | 429 | share | seconds | budget's bound | hosts |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, paced in (("paced", True), ("without pacing", False)):
        with tempfile.TemporaryDirectory() as folder:
            found = burst(Path(folder), accounts=300, rate=5.0, size=50, paced=paced)
        counts = (
            f"{found.accounts} | {found.connected} | {found.puts} | {found.throttled} | {found.throttled_share:.1%}"
        )
        times = f"{found.seconds:.1f} | {found.bound_seconds:.1f} | {found.hosts_at_work}"
        print(f"| {name} | {counts} | {times} |", flush=True)


if __name__ == "__main__":
    main()
