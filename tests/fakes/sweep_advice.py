"""What advice is made of, in memory: assessments, machines with SQL Server, instances without a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.domain.accounts import Provider
from shared.domain.sweep.advice import Assessed, RunningInstances
from shared.errors import TransientError
from tests.fakes.failures import Failures


class FakeAdvice:
    """Assessments by connector id in lower case and by key; machines by account or project number."""

    def __init__(self) -> None:
        self.everything: dict[str, dict[str, Assessed]] = {}
        self.machines: dict[str, int] = {}
        self.project_machines: dict[str, int] = {}
        self.failures = Failures()

    def assessed(self, connector_ids: Sequence[str], keys: Sequence[str]) -> Mapping[str, Mapping[str, Assessed]]:
        """Of these."""
        self.failures.strike("assessed")
        known = {each.lower(): self.everything.get(each.lower(), {}) for each in connector_ids}
        return {
            connector: {key: found for key, found in by.items() if key in keys} for connector, by in known.items() if by
        }

    def sql_machines_of(self, account_ids: Sequence[str], provider: Provider = Provider.AWS) -> Mapping[str, int]:
        """Of these."""
        self.failures.strike("sql_machines_of")
        machines = self.machines if provider is Provider.AWS else self.project_machines
        return {each: machines[each] for each in account_ids if each in machines}


class FakeProfiles:
    """Running instances by account; an account that nobody planted has none."""

    def __init__(self) -> None:
        self.running: dict[str, RunningInstances] = {}
        self.unreachable: set[str] = set()
        self.asked: list[str] = []

    def running_of(self, account_id: str, regions: Sequence[str] = ()) -> RunningInstances:
        """Those of the account."""
        self.asked.append(account_id)
        if account_id in self.unreachable:
            raise TransientError(f"account {account_id} does not answer")
        return self.running.get(account_id, RunningInstances(running=0))
