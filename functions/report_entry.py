"""What ƒ `report` answers to whoever may ask."""

from __future__ import annotations

import logging
from collections.abc import Callable

import azure.functions as func

from functions.operator_answers import answered, failure, refusal
from functions.operator_gate import caller_of
from shared.adapters.report.page import page_of
from shared.adapters.tokens.verifier import TokenVerifier
from shared.application.report import ReportPorts, make_report
from shared.errors import RollcallError
from shared.messages.roll_report import report_json

logger = logging.getLogger(__name__)

_FORMATS = ("html", "json")


def admitted(
    req: func.HttpRequest, verifier: TokenVerifier | None, open_ports: Callable[[], ReportPorts]
) -> func.HttpResponse:
    """Answers an operator; refuses anybody else."""
    caller = caller_of(req, verifier)
    if isinstance(caller, func.HttpResponse):
        return caller
    try:
        return answer(req, open_ports(), caller)
    except RollcallError as error:
        return _failed(error)


def answer(req: func.HttpRequest, ports: ReportPorts, caller: str) -> func.HttpResponse:
    """Answers a caller who may ask. Raises TransientError, ConfigurationError where nothing can be read."""
    wanted = req.params.get("format", "html")
    if wanted not in _FORMATS:
        return refusal(400, f"format is one of {', '.join(_FORMATS)}", "See docs/guides/report.md.")
    made = make_report(ports)
    if wanted == "json":
        body, headers, kind = report_json(made), {}, "application/json"
    else:
        page = page_of(made)
        body, headers, kind = page.html, {"Content-Security-Policy": page.security_policy}, "text/html"
    facts = {
        "caller": caller,
        "accounts": len(made.accounts),
        "findings": len(made.findings),
        "bytes": len(body.encode()),
    }
    logger.info("report_made", extra=facts)
    return answered(200, body, kind, headers)


def _failed(error: RollcallError) -> func.HttpResponse:
    logger.error("report_failed", extra={"reason": error.reason, "remedy": error.remedy, "error_key": error.key})
    return failure(error)
