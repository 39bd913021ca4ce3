"""infra/azure read as data: Bicep by its grammar, without the compiler, which no package brings.

Of an expression only its parts are told; a text and a name look alike in what the parser gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

MODULE = Path(__file__).parents[2] / "infra" / "azure"
FILES = sorted(path.relative_to(MODULE).as_posix() for path in MODULE.rglob("*.bicep"))
FREE = {"Microsoft.Web/sites/config": "properties", "Microsoft.Web/sites": "identity.userAssignedIdentities"}
"""Where a resource takes names of our own: settings, and ids of identities."""


@dataclass(frozen=True)
class Resource:
    """One resource: in a loop `body` is what the loop makes, under a condition what the condition lets be."""

    file: str
    name: str
    kind: str
    api_version: str
    existing: bool
    body: dict[str, Any]
    condition: Any

    @property
    def properties(self) -> dict[str, Any]:
        """Its properties, where they are written down as such."""
        found: dict[str, Any] = self.body.get("properties", {})
        return found

    def paths(self) -> set[str]:
        """The properties that are given, as `properties.sku.name`; lists leave no trace."""
        return {path for path in _paths(self.body) if not path.startswith(f"{FREE.get(self.kind, '-')}.")}


@cache
def parsed(file: str) -> dict[str, Any]:
    """One file; raises the parser's own error."""
    return dict(BicepParser().parse(text=(MODULE / file).read_text(encoding="utf-8")))


def resources() -> list[Resource]:
    """All resources of all files, those too that are only referred to."""
    return [_resource(file, name, found) for file in FILES for name, found in parsed(file).get("resources", {}).items()]


def of_kind(kind: str) -> list[Resource]:
    """The resources of one type that are made."""
    return [each for each in resources() if each.kind == kind and not each.existing]


def the(file: str, name: str) -> Resource:
    """One resource."""
    [found] = [each for each in resources() if (each.file, each.name) == (file, name)]
    return found


def modules(file: str) -> dict[str, dict[str, Any]]:
    """The modules of a file: path, parameters, condition."""
    return {
        name: {"path": found["detail"]["path"], "params": {}} | _unwrapped(found["config"])[0]
        for name, found in parsed(file).get("modules", {}).items()
    }


def parameters(file: str) -> dict[str, dict[str, Any]]:
    """The parameters of a file."""
    found: dict[str, dict[str, Any]] = parsed(file).get("parameters", {})
    return found


def variable(file: str, name: str) -> Any:
    """What a variable is given."""
    return parsed(file)["variables"][name]["value"]


def words(value: Any) -> Iterator[str]:
    """Every text and name inside an expression."""
    if isinstance(value, dict):
        for each in value.values():
            yield from words(each)
    elif isinstance(value, list):
        for each in value:
            yield from words(each)
    elif isinstance(value, str):
        yield value


def _resource(file: str, name: str, found: dict[str, Any]) -> Resource:
    body, condition = _unwrapped(found["config"])
    return Resource(file, name, found["type"], found["api_version"], found["existing"], body, condition)


def _unwrapped(config: Any) -> tuple[dict[str, Any], Any]:
    """The object inside loops and conditions, and the condition."""
    condition = None
    while "loop_type" in config or "condition" in config:
        condition = config.get("condition") or condition
        config = config["config"]
    return config, condition


def _paths(value: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _paths(each, prefix)
    elif isinstance(value, dict) and not {"function", "operator"} & set(value):
        for key, each in value.items():
            path = f"{prefix}.{key}" if prefix else key
            yield path
            yield from _paths(each, path)
