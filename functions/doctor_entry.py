"""What ƒ `doctor` answers to whoever may ask."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import azure.functions as func

from functions.operator_answers import answered, failure, refusal
from functions.operator_gate import caller_of
from shared.adapters.tokens.verifier import TokenVerifier
from shared.application.doctor.examine import Question, examine
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.doctor.verdicts import State, totals
from shared.errors import RollcallError
from shared.messages.doctor_findings import findings_document

logger = logging.getLogger(__name__)

SECONDS = 90.0
"""For one question; Azure's load balancer gives up after 230 s."""


def admitted(
    req: func.HttpRequest, verifier: TokenVerifier | None, ask: Callable[[], list[Question]]
) -> func.HttpResponse:
    """Answers an operator; refuses anybody else."""
    caller = caller_of(req, verifier)
    if isinstance(caller, func.HttpResponse):
        return caller
    try:
        return answer(req, ask(), caller)
    except RollcallError as error:
        return _failed(error)


def answer(req: func.HttpRequest, questions: list[Question], caller: str) -> func.HttpResponse:
    """Answers a caller who may ask, about everything or about the checks `only`; what cannot be told is told, too."""
    only = {each for each in req.params.get("only", "").split(",") if each}
    if only - CHECKS.keys():
        return refusal(400, "only names checks by their keys", "See docs/guides/doctor.md.")
    asked = [each for each in questions if not only or each.about(only)]
    found = [each for each in examine(asked, seconds=SECONDS) if not only or each.check.key in only]
    counted = totals(found)
    facts = {"caller": caller, "wrong": counted[State.WRONG], "unknown": counted[State.UNKNOWN], "checked": len(found)}
    logger.info("doctor_asked", extra=facts)
    return answered(200, json.dumps(findings_document(found)))


def _failed(error: RollcallError) -> func.HttpResponse:
    logger.error("doctor_failed", extra={"reason": error.reason, "remedy": error.remedy, "error_key": error.key})
    return failure(error)
