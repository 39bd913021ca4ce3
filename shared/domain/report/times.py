"""How long new accounts waited for their connectors.

A percentile is the nearest rank: of n values in order the one at place ⌈p/100 · n⌉, so that it is always a time that an
account really took.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.accounts import Provider
from shared.domain.arrival import NEW_FOR, seconds_to_connect
from shared.domain.ledger import AccountRecord

BUCKETS = (60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 6 * 3600.0, 24 * 3600.0, NEW_FOR.total_seconds())
"""Where each bar of the distribution ends, in seconds, the end itself included."""
WORST = 10


@dataclass(frozen=True, kw_only=True)
class Times:
    """Times of one cloud's accounts, or of all where `provider` is None; seconds. `buckets` counts as BUCKETS says."""

    provider: Provider | None
    count: int
    p50: float | None
    p95: float | None
    buckets: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Waited:
    """One account that waited for long."""

    provider: Provider
    account: str
    name: str
    seconds: float
    connected_at: datetime


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """The nearest rank of values in order; None of none."""
    return ordered[-(-percent * len(ordered) // 100) - 1] if ordered else None


def times_of(records: Iterable[AccountRecord]) -> tuple[tuple[Times, ...], tuple[Waited, ...]]:
    """Times of all, then of each cloud that has any; and the ten that took longest."""
    waited = [
        Waited(
            provider=record.key.provider,
            account=record.key.hierarchy_identifier,
            name=record.name,
            seconds=seconds,
            connected_at=record.connected_at,
        )
        for record in records
        if record.connected_at is not None and (seconds := seconds_to_connect(record)) is not None
    ]
    clouds = [provider for provider in Provider if any(each.provider is provider for each in waited)]
    found = [_times(None, [each.seconds for each in waited])]
    found += [_times(cloud, [each.seconds for each in waited if each.provider is cloud]) for cloud in clouds]
    worst = sorted(waited, key=lambda each: (-each.seconds, each.provider, each.account))[:WORST]
    return tuple(found), tuple(worst)


def _times(provider: Provider | None, seconds: Iterable[float]) -> Times:
    ordered = sorted(seconds)
    counted = [0] * len(BUCKETS)
    for each in ordered:
        counted[bisect_left(BUCKETS, each)] += 1
    return Times(
        provider=provider,
        count=len(ordered),
        p50=percentile(ordered, 50),
        p95=percentile(ordered, 95),
        buckets=tuple(counted),
    )
