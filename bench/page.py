"""docs/performance.md and its charts, made of bench/results/latest.json: `python -m bench.page [--check]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.chart import figure, svg
from bench.result import Target

ROOT = Path(__file__).resolve().parent.parent
LATEST = ROOT / "bench" / "results" / "latest.json"
PAGE = ROOT / "docs" / "performance.md"
MEASURES = ROOT / "bench" / "measures"
CHARTS = "images/performance"
HEAD = """# Performance

Made by `make bench` from `bench/results/latest.json`; do not edit. A figure is only as good as the computer that it
was measured on: what counts are ratios within one run, and counts. The clouds are the [sandbox](sandbox.md)'s.
A bound is what the clouds' own times and quotas allow at best; `python -m bench.bounds` computes it from a run's
journal and the simulators' settings alone, and imports nothing of Rollcall. Of the command line it is the fewest
requests: pages of what was planted, and what each command has to read once, which its measure lists. What profiles
showed, and what soak and fuzz found: [trials.md](trials.md).
"""


def target_line(target: Target) -> str:
    """What was found, and what is asked: `share of 429s: 0.2 % (at most 1 %)`."""
    unit = f" {target.unit}" if target.unit else ""
    return f"{target.what}: {figure(target.value)}{unit} ({target.direction} {figure(target.limit)}{unit})"


def documents(latest: Path) -> dict[str, str]:
    """The page and its charts, by their paths below docs/."""
    results: Mapping[str, Any] = json.loads(latest.read_bytes())["results"]
    charts = {f"{CHARTS}/{name}.svg": svg(result["chart"]) for name, result in results.items()}
    return {"performance.md": "\n".join(_page(results)) + "\n"} | charts


def write_page(latest: Path = LATEST) -> None:
    """Writes them all."""
    for name, text in documents(latest).items():
        path = ROOT / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _page(results: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD
    yield "| measure | target | found | |"
    yield "|---|---|---|---|"
    for result in results.values():
        for each in result["targets"]:
            yield _summary(result, Target(**each))
    if lacking := sorted({each.stem for each in MEASURES.glob("*.py")} - {"__init__", *results}):
        yield f"\nNot run in full so far, and so without figures here: {', '.join(f'`{name}`' for name in lacking)}."
    for name, result in results.items():
        yield from _section(name, result)


def _summary(result: Mapping[str, Any], target: Target) -> str:
    unit = f" {target.unit}" if target.unit else ""
    cells = (
        f"[{_cell(result['title'])}](#{anchor(result['title'])})",
        f"{_cell(target.what)}: {target.direction} {figure(target.limit)}{unit}",
        f"{figure(target.value)}{unit}",
        "met" if target.is_met else "**not met**",
    )
    return f"| {' | '.join(cells)} |"


def _section(name: str, result: Mapping[str, Any]) -> Iterator[str]:
    yield f"\n## {result['title']}\n"
    yield f"{result['what']}\n"
    yield f"![{result['chart']['title']}]({CHARTS}/{name}.svg)\n"
    for table in result["tables"]:
        yield from _table(table)
    yield from (f"- {sentence}" for sentence in [*result["how"], _circumstances(result), *result["notes"]])


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    if table["title"]:
        yield f"{table['title']}:\n"
    yield f"| {' | '.join(map(_cell, table['head']))} |"
    yield "|---" * len(table["head"]) + "|"
    for row in table["rows"]:
        yield f"| {' | '.join(_cell(figure(cell)) for cell in row)} |"
    yield ""


def _circumstances(result: Mapping[str, Any]) -> str:
    return (
        f"Measured {result['measured_at']} at {result['commit']}, on {result['processors']} processors "
        f"({result['processor']}), {result['memory_gb']} GB, Python {result['python']}, "
        f"load {figure(result['load_before'])} before it began."
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def anchor(title: str) -> str:
    """The anchor that Markdown gives a heading."""
    kept = "".join(character for character in title.lower() if character.isalnum() or character in " -_")
    return kept.replace(" ", "-")


def main(arguments: Sequence[str]) -> int:
    """Writes the page, or with `--check` says whether it is what the results make it."""
    if list(arguments) != ["--check"]:
        write_page()
        return 0
    found = documents(LATEST)
    stale = [name for name, text in found.items() if _read(ROOT / "docs" / name) != text]
    for name in stale:
        print(f"docs/{name} is not what bench/results/latest.json makes it: python -m bench.page", file=sys.stderr)
    return 1 if stale else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
