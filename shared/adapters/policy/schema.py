"""The JSON Schema of the policy file, for editors; `python -m shared.adapters.policy.schema` writes it into docs/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.adapters.policy.document import PolicyDocument

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FILE = Path(__file__).parents[3] / "docs" / "policy.schema.json"


def policy_schema() -> dict[str, Any]:
    """What the form of a policy has to be; names that are not there and the like are found by `check_policy` only."""
    schema: dict[str, Any] = _plain(PolicyDocument.model_json_schema())
    return {"$schema": _DIALECT, **schema}


def rendered_schema() -> str:
    """The schema as text."""
    return json.dumps(policy_schema(), indent=2) + "\n"


def _plain(schema: Any) -> Any:
    """Without titles made from names and `null` as default, which say nothing; closed to names that are none."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _plain(value) for key, value in schema.items() if not _says_nothing(key, value)}
    # pydantic leaves open what becomes of names that the pattern does not allow.
    return {"additionalProperties": False, **kept} if "patternProperties" in kept else kept


def _says_nothing(key: str, value: Any) -> bool:
    made_up = key == "title" and isinstance(value, str) and value != PolicyDocument.model_config.get("title")
    unset = key == "default" and value is None
    # Inline flags are none of JavaScript's, which editors use; `check_policy` has the pattern.
    foreign = key == "pattern" and isinstance(value, str) and value.startswith("(?")
    return made_up or unset or foreign


if __name__ == "__main__":
    _FILE.write_text(rendered_schema(), encoding="utf-8")
