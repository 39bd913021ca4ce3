"""The JSON Schemas of all messages; `python -m shared.messages.schemas` writes them beside this file."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from shared.messages.connector_request import ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from shared.messages.roll_notice import RollNotice

FOLDER = Path(__file__).with_name("schemas")
_MODELS: dict[str, type[BaseModel]] = {
    "connector-request-1": ConnectorRequest,
    "parked-request-1": ParkedRequest,
    "roll-notice-1": RollNotice,
}


def rendered() -> dict[str, str]:
    """File name → text of each schema, as the models say now."""
    return {
        f"{name}.schema.json": json.dumps(model.model_json_schema(by_alias=True), indent=2) + "\n"
        for name, model in _MODELS.items()
    }


if __name__ == "__main__":
    for file, text in rendered().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
