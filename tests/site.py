"""The documentation as a site: its pages, their headings, and where their links lead."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[1]
HOME = ROOT / "docs" / "README.md"
BESIDE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages at the root of the repository."""
_FENCE = re.compile(r"^( *)(```+|~~~+)[^\n]*\n.*?^\1\2 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^()\s]+(?:\([^()\s]*\)[^()\s]*)*)(?: \"[^\"]*\")?\)")


def pages() -> list[Path]:
    """Every page of Markdown that people read."""
    return [*(ROOT / name for name in BESIDE), *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def prose(page: Path) -> str:
    """The page without fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """The file and the anchor (empty: none) that each link to a file of ours names; code is none."""
    for target in _LINK.findall(_CODE.sub("", prose(page))):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path, _, anchor = target.partition("#")
        yield (page.parent / unquote(path)).resolve() if path else page, anchor


@cache
def anchors(page: Path) -> frozenset[str]:
    """What links to the headings of a page end with, as GitHub makes it: a second one of the same words gets `-1`."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", prose(page), re.MULTILINE):
        name = anchor(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", prose(page))))


def anchor(heading: str) -> str:
    """A heading as the end of a link: links as their words, without marks, lower case, dashes for blanks."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def reachable(start: Path) -> set[Path]:
    """The pages to which links lead from a page, one after the other."""
    found, todo = {start}, [start]
    while todo:
        for target, _ in links(todo.pop()):
            if target.suffix == ".md" and target.exists() and target not in found:
                found.add(target)
                todo.append(target)
    return found
