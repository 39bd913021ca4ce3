"""The distributions that a requirements file pins, as this environment has them, and what our code reaches of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NAMESPACES = {"azure", "google"}
"""Top-level packages that several distributions share."""


@cache
def pinned(file: str) -> tuple[metadata.Distribution, ...]:
    """The distributions of `file` that this interpreter needs."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.partition("--hash")[0] for line in text.splitlines() if line and not line.startswith("#")]
    wanted = [Requirement(line) for line in lines]
    needed = [each for each in wanted if each.marker is None or each.marker.evaluate()]
    return tuple(metadata.distribution(each.name) for each in needed)


def linked(file: str, target: Path) -> Path:
    """A folder with these distributions and nothing else of this environment."""
    for found in pinned(file):
        for path in found.files or ():
            parts = path.parts
            if parts[0] in {"..", "__pycache__"} or path.suffix == ".pth":
                continue
            inner = Path(*parts[:2]) if parts[0] in NAMESPACES and len(parts) > 1 else Path(parts[0])
            link = target / inner
            if not link.is_symlink() and inner.name != "__pycache__":
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(found.locate_file(inner).resolve())  # type: ignore[attr-defined]  # a path, in fact
    return target


def reached(entry: str, file: str) -> set[str]:
    """The distributions of `file` whose modules are imported by our module `entry`, or by ours that it imports."""
    owners = _owners(file)
    names: set[str] = set()
    waiting, seen = [entry], set()
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        path = _source(module)
        if path is None:
            names |= {canonicalize_name(owners[module])} if module in owners else set()
        else:
            waiting += _imported_by(path)
    return names


@cache
def _owners(file: str) -> dict[str, str]:
    return {module: str(found.metadata["Name"]) for found in pinned(file) for module in _modules(found)}


@cache
def _imported_by(path: Path) -> tuple[str, ...]:
    return tuple(_imports(ast.parse(path.read_text(encoding="utf-8"))))


def _modules(found: metadata.Distribution) -> Iterator[str]:
    for path in found.files or ():
        if path.suffix in {".py", ".so"} and path.parts[0] != "..":
            parts = [*path.parts[:-1], path.name.partition(".")[0]]
            yield ".".join(parts).removesuffix(".__init__")


def _source(module: str) -> Path | None:
    """Our own file of that module."""
    path = ROOT.joinpath(*module.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return next((each for each in found if each.exists()), None)


def _imports(tree: ast.AST) -> Iterator[str]:
    """What is imported when the code runs; not what only a type checker sees."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
        yield from _imports(node)
