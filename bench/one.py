"""One measure in a process of its own: `python -m bench.one NAME [--small] [--folder F] [--out FILE]`."""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from bench.machine import circumstances
from bench.result import Result


def main() -> None:
    """Prints the result as a JSON document, or writes it to the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="a module of bench/measures")
    parser.add_argument("--small", action="store_true", help="the short version, which CI runs")
    parser.add_argument("--folder", type=Path, help="where journals and settings of the runs are kept")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    measure = importlib.import_module(f"bench.measures.{asked.name}").measure
    before = circumstances()
    with tempfile.TemporaryDirectory() as folder:
        result: Result = measure(asked.folder or Path(folder), small=asked.small)
    document = {"small": asked.small, **before, **asdict(result)}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    if asked.out:
        asked.out.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
