"""`python -m tests.fuzz`: so many odd inputs for every surface; what is wrong is written as small cases."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.campaign import Result, chunks, minimized, run_chunk
from tests.fuzz.surfaces import SURFACES

MOST_OUTCOMES = 12


def main() -> int:
    """Runs the campaign and prints its table. 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each surface")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--surfaces", default="", help=f"some of {','.join(SURFACES)}; default: all")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("build/fuzz"), help="where cases are written")
    asked = parser.parse_args()
    wanted = [each for each in asked.surfaces.split(",") if each] or list(SURFACES)
    if unknown := set(wanted) - SURFACES.keys():
        parser.error(f"no surface {', '.join(sorted(unknown))}: there are {', '.join(SURFACES)}")
    found = 0
    with ProcessPoolExecutor(asked.workers) as pool:
        for name in wanted:
            began = time.perf_counter()
            result = _campaign(pool, name, asked.inputs, asked.seed)
            _show(result, time.perf_counter() - began)
            found += len(result.found)
            _write(result, asked.output / name)
    print(f"{found} kinds of failure found" if found else "nothing was found")
    return 1 if found else 0


def _campaign(pool: Executor, name: str, inputs: int, seed: int) -> Result:
    result = Result(name)
    waiting: list[Future[Result]] = [pool.submit(_part, name, *part) for part in chunks(inputs, seed)]
    for each in waiting:
        result.join(each.result())
    return result


def _part(name: str, inputs: int, number: int) -> Result:
    os.environ.pop("ROLLCALL_EVIDENCE_DIR", None)  # inputs are the same on every computer
    return run_chunk(SURFACES[name](), inputs, number)


def _show(result: Result, seconds: float) -> None:
    print(
        f"{result.surface:16} {result.inputs:>8} inputs  {len(result.outcomes):>4} outcomes  "
        f"slowest {result.slowest * 1000:>6.0f} ms  {len(result.found):>3} found  {seconds:>5.0f} s"
    )
    for outcome, count in result.outcomes.most_common(MOST_OUTCOMES):
        print(f"    {count:>8}  {outcome}")
    for wrong, each in sorted(result.found.items()):
        print(f"  ! {each.count:>8}  {wrong}")
    sys.stdout.flush()


def _write(result: Result, folder: Path) -> None:
    """Each kind of failure as one small case, with its traceback beside it."""
    for number, (wrong, each) in enumerate(sorted(result.found.items()), start=1):
        case = minimized(SURFACES[result.surface](), each)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.json").write_text(case.to_json(), encoding="utf-8")
        (folder / f"{number}.txt").write_text(f"{wrong}\n{each.verdict.detail}", encoding="utf-8", errors="replace")


if __name__ == "__main__":
    raise SystemExit(main())
