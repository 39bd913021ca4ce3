"""`doctor-findings/1`: what the Function App or a Lambda function says of its own prerequisites."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.domain.doctor.verdicts import Check, State, Verdict
from shared.messages.defaults import empty_dict
from shared.messages.faults import faults_of

SCHEMA = "doctor-findings/1"


class _Finding(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    state: State
    reason: str
    subject: str = ""
    remedy: str = ""
    command: str = ""
    evidence: dict[str, str] = Field(default_factory=empty_dict)
    checked_as: str = ""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    findings: tuple[_Finding, ...]


def findings_document(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """The JSON body."""
    found = [
        _Finding(
            key=each.check.key,
            state=each.state,
            reason=each.reason,
            subject=each.subject,
            remedy=each.remedy,
            command=each.command,
            evidence=dict(each.evidence),
            checked_as=each.checked_as,
        ).model_dump(mode="json")
        for each in verdicts
    ]
    return {"schema": SCHEMA, "findings": found}


def read_findings(content: bytes, catalogue: Mapping[str, Check]) -> Iterator[Verdict]:
    """The verdicts of a document. Raises ValueError where it is none, or of a version with other checks."""
    document = json.loads(content)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"it is not a {SCHEMA}")
    try:
        found = _Document.model_validate(document).findings
    except ValidationError as error:
        raise ValueError(faults_of(error)) from error
    unknown = sorted({each.key for each in found} - catalogue.keys())
    if unknown:
        raise ValueError(f"it has checks that this version does not know: {', '.join(unknown)}")
    for each in found:
        yield Verdict(
            check=catalogue[each.key],
            state=each.state,
            reason=each.reason,
            subject=each.subject,
            remedy=each.remedy,
            command=each.command,
            evidence=each.evidence,
            checked_as=each.checked_as,
        )
