"""Google's discovery documents: which methods an API has, and whether an answer has the shape that they say."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_FOUND = importlib.util.find_spec("googleapiclient")
assert _FOUND is not None, "google-api-python-client is one of the tests' own dependencies"
_FOLDER = Path(str(_FOUND.origin)).parent / "discovery_cache" / "documents"
VERSIONS = {
    "cloudresourcemanager": "v3",
    "serviceusage": "v1",
    "iam": "v1",
    "sts": "v1",
    "iamcredentials": "v1",
    "compute": "v1",
    "logging": "v2",
    "pubsub": "v1",
    "orgpolicy": "v2",
}
_PYTHON_TYPES = {"string": str, "boolean": bool, "object": dict, "array": list, "integer": int, "number": (int, float)}


@cache
def document(api: str) -> dict[str, Any]:
    """The discovery document of an API in the version that is simulated."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{api}.{VERSIONS[api]}.json").read_text(encoding="utf-8"))
    return found


def method(method_id: str) -> dict[str, Any]:
    """A method by its id. KeyError for one that the API does not have."""
    return _methods(method_id.partition(".")[0])[method_id]


@cache
def _methods(api: str) -> dict[str, dict[str, Any]]:
    return {found["id"]: found for found in _below(document(api))}


def _below(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from part.get("methods", {}).values()
    for resource in part.get("resources", {}).values():
        yield from _below(resource)


def path_of(method_id: str) -> str:
    """The method's path with `{…}` for what changes."""
    return f"/{document(method_id.partition('.')[0])['servicePath']}{method(method_id)['flatPath']}"


def example_path(method_id: str) -> str:
    """A path as the method is called."""
    path = path_of(method_id).replace("{v1Id}/{v1Id1}", "projects/100000000001")
    path = path.replace("projects/{projectsId}/serviceAccounts/", "projects/-/serviceAccounts/")
    return re.sub(r"\{[^}]+\}", "100000000001", path).replace("locations/100000000001", "locations/global")


def problems(api: str, schema: str, value: Any) -> list[str]:
    """Where a JSON value is not as the schema of that name says: unknown fields, wrong types, unknown words."""
    return list(_problems(document(api)["schemas"], {"$ref": schema}, value, schema))


def _problems(schemas: Mapping[str, Any], shape: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    if "$ref" in shape:
        shape = schemas[shape["$ref"]]
    kind = shape.get("type", "any")
    if kind == "any":
        return
    if not isinstance(value, _PYTHON_TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):  # type: ignore[arg-type]
        yield f"{where}: {value!r} is no {kind}"
        return
    if "enum" in shape and value not in shape["enum"]:
        yield f"{where}: {value!r} is none of {shape['enum']}"
    if shape.get("format") in {"int64", "uint64"} and not re.fullmatch(r"-?\d+", value):
        yield f"{where}: {value!r} is no number in a string"
    if shape.get("format") in {"google-datetime", "date-time"} and not re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value
    ):
        yield f"{where}: {value!r} is no time"
    if kind == "array":
        for number, each in enumerate(value):
            yield from _problems(schemas, shape["items"], each, f"{where}[{number}]")
    if kind == "object":
        yield from _fields(schemas, shape, value, where)


def _fields(
    schemas: Mapping[str, Any], shape: Mapping[str, Any], value: Mapping[str, Any], where: str
) -> Iterator[str]:
    known, others = shape.get("properties", {}), shape.get("additionalProperties")
    for name, each in value.items():
        if name in known:
            yield from _problems(schemas, known[name], each, f"{where}.{name}")
        elif others is not None:
            yield from _problems(schemas, others, each, f"{where}.{name}")
        else:
            yield f"{where}.{name} is not in the schema"
