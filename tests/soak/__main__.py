"""`python -m tests.soak [--minutes 5] [--seed 1]` prints one soak; 1 where anything is not as it has to be."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.soak.plan import plan_of
from tests.soak.run import folder_of, soak


def main() -> int:
    """Prints the figures of a run."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long there is trouble")
    parser.add_argument("--seed", type=int, default=1, help="of the plan of deeds and faults")
    parser.add_argument("--keep", type=Path, help="a folder for the sandbox and its logs, to be looked at afterwards")
    arguments = parser.parse_args()
    plan = plan_of(arguments.seed, arguments.minutes * 60)
    print(f"seed {plan.seed}, plan {plan.digest}: {len(plan.steps)} steps", file=sys.stderr, flush=True)
    with folder_of(arguments.keep) as folder:
        done = soak(plan, folder)
    print(done)
    return 0 if done.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
