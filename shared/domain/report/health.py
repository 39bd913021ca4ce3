"""How connectors are, by cloud and by cause, as the newest sweep found them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.domain.accounts import Provider
from shared.domain.report.accounts import AccountLine, Group
from shared.domain.report.findings import FindingLine
from shared.domain.sweep.findings import Area
from shared.domain.sweep.kinds import CONNECTOR_UNHEALTHY, HEALTH_UNKNOWN


@dataclass(frozen=True, kw_only=True)
class ProviderHealth:
    """Accounts of one cloud that are connected, and of these the ones that Defender calls unhealthy or says nothing of.

    `no_issue` are the rest, in which a sweep that is incomplete may have seen nothing.
    """

    provider: Provider
    connected: int
    unhealthy: int
    unknown: int

    @property
    def no_issue(self) -> int:
        """Connected accounts without such a finding."""
        return max(self.connected - self.unhealthy - self.unknown, 0)


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why connectors are unhealthy, in Defender's words or by the kind of finding, and how many accounts have it."""

    cause: str
    key: str
    accounts: Mapping[Provider, int] = field(default_factory=dict)
    findings: int = 0

    @property
    def total(self) -> int:
        """Accounts of all clouds."""
        return sum(self.accounts.values())


def health_by_provider(accounts: Iterable[AccountLine], findings: Sequence[FindingLine]) -> tuple[ProviderHealth, ...]:
    """One line for each cloud that has connected accounts or findings about their health. `findings` are open ones."""
    connected: dict[Provider, int] = defaultdict(int)
    for line in accounts:
        if line.group is Group.CONNECTED:
            connected[line.provider] += 1
    unhealthy = _whose(findings, CONNECTOR_UNHEALTHY.key)
    unknown = _whose(findings, HEALTH_UNKNOWN.key)
    found = []
    for provider in Provider:
        counted = len(unhealthy[provider]), len(unknown[provider] - unhealthy[provider])
        if connected[provider] or any(counted):
            found.append(
                ProviderHealth(
                    provider=provider, connected=connected[provider], unhealthy=counted[0], unknown=counted[1]
                )
            )
    return tuple(found)


def _whose(findings: Iterable[FindingLine], key: str) -> dict[Provider, set[str]]:
    found: dict[Provider, set[str]] = {provider: set() for provider in Provider}
    for each in findings:
        if each.key == key and each.provider is not None:
            found[each.provider].add(each.account)
    return found


def causes(findings: Iterable[FindingLine]) -> tuple[Cause, ...]:
    """Each cause of poor health, the most frequent first. `findings` are open ones."""
    whose: dict[tuple[str, str], set[tuple[Provider, str]]] = defaultdict(set)
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for each in findings:
        if each.area is not Area.HEALTH:
            continue
        cause = each.reason.partition(": ")[2] if each.key == CONNECTOR_UNHEALTHY.key else ""
        place = each.key, cause or each.key
        counted[place] += 1
        if each.provider is not None:
            whose[place].add((each.provider, each.account))
    found = [
        Cause(
            cause=cause,
            key=key,
            accounts={
                provider: count for provider in Provider if (count := sum(p is provider for p, _ in whose[key, cause]))
            },
            findings=number,
        )
        for (key, cause), number in counted.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.total, -each.findings, each.key, each.cause)))
