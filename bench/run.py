"""Every measure, one after the other, and what came of it: `make bench`.

`python -m bench.run [--small] [--only a,b] [--keep FOLDER]`. A full run writes bench/results/latest.json and makes
docs/performance.md of it; with `--only` the other measures stay as they were. A short one says how it went, and fails
by counts only: what is timed says nothing on a busy computer.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import bench.measures
from bench.page import target_line, write_page
from bench.result import Target

ROOT = Path(__file__).resolve().parent.parent
LATEST = ROOT / "bench" / "results" / "latest.json"
SCHEMA = "rollcall-bench/1"


def names() -> list[str]:
    """The measures that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.measures.__path__))


def run(wanted: Iterable[str], folder: Path, *, small: bool) -> tuple[dict[str, Any], list[str]]:
    """The results by name, and the names of those that ended without one."""
    results, failed = {}, []
    for name in wanted:
        out, started = folder / f"{name}.json", time.monotonic()
        print(f"{name} …", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "bench.one", name, "--folder", str(folder / name), "--out", str(out)]
        code = subprocess.run([*command, *["--small"] * small], cwd=ROOT, check=False).returncode  # noqa: S603 - our own
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        if out.is_file():
            results[name] = json.loads(out.read_bytes())
        else:
            failed.append(f"{name} (exit {code})")
    return results, failed


def merged(results: Mapping[str, Any], before: Path) -> dict[str, Any]:
    """The document of all measures: new results in the place of older ones of the same name."""
    kept = json.loads(before.read_bytes())["results"] if before.is_file() else {}
    known = {name: each for name, each in (kept | dict(results)).items() if name in names()}
    return {"schema": SCHEMA, "results": dict(sorted(known.items()))}


def targets(results: Mapping[str, Any]) -> list[tuple[str, Target]]:
    """Every target with the measure that it belongs to."""
    return [(name, Target(**each)) for name, result in results.items() for each in result["targets"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints each target; 1 where one is not met or a measure failed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="the short version of each, which CI runs")
    parser.add_argument("--only", default="", help=f"some of {', '.join(names())}")
    parser.add_argument("--keep", type=Path, help="keep journals and settings of all runs in this folder")
    asked = parser.parse_args(arguments)
    wanted = asked.only.split(",") if asked.only else names()
    if unknown := set(wanted) - set(names()):
        parser.error(f"no measure of the name {', '.join(sorted(unknown))}: there are {', '.join(names())}")
    with tempfile.TemporaryDirectory() as folder:
        kept = asked.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        results, failed = run(wanted, kept, small=asked.small)
    found = targets(results)
    missed = [target for _, target in found if not target.is_met and not (asked.small and target.timed)]
    for name, target in found:
        print(f"{'met    ' if target.is_met else 'NOT MET'} {name}: {target_line(target)}")
    for each in failed:
        print(f"FAILED  {each}")
    if not asked.small:
        LATEST.write_text(json.dumps(merged(results, LATEST), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_page(LATEST)
    met = sum(target.is_met for _, target in found)
    print(f"{met} of {len(found)} targets met, {len(results)} of {len(wanted)} measures done")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
