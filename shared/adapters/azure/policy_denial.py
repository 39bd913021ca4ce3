"""Which Azure Policy denied a request: Resource Manager says it as JSON inside the message, or in `additionalInfo`.

Source: "RequestDisallowedByPolicy error with Azure Policy"; messages quoted by users.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_IDENTIFIERS = re.compile(r"Policy identifiers?(?:\(s\))?: '(.*)'", re.DOTALL | re.IGNORECASE)


def denying_policies(error: Mapping[str, Any], message: str) -> tuple[str, ...]:
    """The assignments (or definitions, where no assignment is named) that denied, by name; empty where unknown.

    `error` is the body of the answer without its envelope, keys in lower case.
    """
    names = [*_in_message(message), *_in_additional_info(error.get("additionalinfo"))]
    return tuple(dict.fromkeys(name for name in names if name))


def _in_message(message: str) -> list[str]:
    found = _IDENTIFIERS.search(message)
    if found is None:
        return []
    try:
        identifiers = json.loads(found[1])
    except ValueError:
        return [found[1].rsplit("/", 1)[-1]]  # an older form: the bare id of a definition
    return [_name(entry) for entry in identifiers] if isinstance(identifiers, list) else []


def _name(entry: Any) -> str:
    for kind in ("policyAssignment", "policyDefinition"):
        named = entry.get(kind) if isinstance(entry, dict) else None
        if isinstance(named, dict) and (named.get("name") or named.get("id")):
            return str(named.get("name") or named["id"])
    return ""


def _in_additional_info(additional: Any) -> list[str]:
    entries = additional if isinstance(additional, list) else []
    infos = [entry.get("info") for entry in entries if isinstance(entry, dict)]
    return [
        str(info.get("policyAssignmentName") or info.get("policyDefinitionName") or "")
        for info in infos
        if isinstance(info, dict)
    ]
