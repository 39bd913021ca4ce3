"""`python -m bench.bounds FOLDER`: the bound of one run as a JSON document, from its journal and settings."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The journal's requests, in the order in which they were answered."""
    with (folder / "journal.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def main() -> None:
    """Prints what the module of the run's kind computes."""
    folder = Path(sys.argv[1])
    settings = json.loads((folder / "settings.json").read_bytes())
    kind = importlib.import_module(f"bench.bounds.{settings['kind']}")
    print(json.dumps(kind.bound(settings, lines(folder))))


if __name__ == "__main__":
    main()
