"""docs/deploy.md as data: its shell blocks in order, and its tables."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^( *)```(\w+)(?: ([\w-]+))?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
PROSE = _FENCE.sub("", GUIDE)


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is where its fence stands."""

    line: int
    language: str
    tag: str
    text: str


def fenced() -> list[Block]:
    """Every fenced block, of whatever language."""
    return [
        Block(GUIDE.count("\n", 0, found.start()) + 1, found[2], found[3] or "", textwrap.dedent(found[4]))
        for found in _FENCE.finditer(GUIDE)
    ]


def executed() -> list[Block]:
    """The shell blocks that need no cloud, in order."""
    return [each for each in fenced() if each.language == "sh" and each.tag != "cloud-only"]


def cloud_only() -> list[Block]:
    """The shell blocks that need one."""
    return [each for each in fenced() if each.language == "sh" and each.tag == "cloud-only"]


def rows(head: str) -> list[list[str]]:
    """The table that begins with this head, cell by cell."""
    _, _, table = GUIDE.partition(f"| {head} |")
    assert table, head
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def quoted(cell: str) -> list[str]:
    """What stands in back-ticks."""
    return re.findall(r"`([^`]+)`", cell)
