"""The operator's report as JSON, `roll-report/1`: what `rollcall report --json` and ƒ `report` give.

Unknown fields are ignored, so that a command line of before reads what a newer Function App says.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from shared.domain.report.roll import RollReport

SCHEMA = "roll-report/1"
_REPORT: TypeAdapter[RollReport] = TypeAdapter(RollReport)


def report_document(report: RollReport) -> dict[str, Any]:
    """The report's JSON body."""
    body: dict[str, Any] = _REPORT.dump_python(report, mode="json")
    return {"schema": SCHEMA} | body


def report_json(report: RollReport) -> str:
    """The same as text of ASCII letters, without a blank."""
    return json.dumps(report_document(report), separators=(",", ":"))


def read_report(content: bytes) -> RollReport:
    """The report that a document says. Raises ValueError where it is none."""
    document = json.loads(content)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"it is not a {SCHEMA}")
    return _REPORT.validate_python(document)
