"""Every benchmark in short: it runs, finds what it has to find, and keeps those targets that are counts.

What is timed is not looked at: a busy computer says nothing about it. `make bench` measures in full.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chart import svg
from bench.run import names, run, targets

ELSEWHERE = {"burst"}
"""`test_burst.py` looks closer at its short version."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(set(names()) - ELSEWHERE))
def test_a_measure_in_short_ends_with_its_counted_targets_met(name: str, tmp_path: Path) -> None:
    results, failed = run([name], tmp_path, small=True)
    assert not failed
    missed = [target for _, target in targets(results) if not target.timed and not target.is_met]
    assert not missed
    assert results[name]["small"] is True
    assert results[name]["targets"]
    assert svg(results[name]["chart"])
