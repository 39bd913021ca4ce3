"""The sources of the Function App, as `.funcignore`, an allow-list, admits them.

python -m artefacts.function_app build/FunctionApp
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def admitted(root: Path) -> tuple[str, ...]:
    """The names in `root` that are published; one of a file that is not there, the policy's, is left out."""
    lines = (root / ".funcignore").read_text(encoding="utf-8").splitlines()
    names = {each.removeprefix("!").partition("/")[0] for each in lines if each.startswith("!")}
    return tuple(sorted(name for name in names if (root / name).exists()))


def collect(root: Path, target: Path) -> None:
    """Copies what is published from `root` into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for name in admitted(root):
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(root / name, target / name)


if __name__ == "__main__":
    collect(ROOT, Path(sys.argv[1]))
