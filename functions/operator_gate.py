"""Who may ask an HTTP function for something: whoever its verifier knows; that is an operator unless said otherwise."""

from __future__ import annotations

import logging

import azure.functions as func

from shared.adapters.tokens.verifier import TokenRefusedError, TokenVerifier
from shared.errors import RollcallError, quotable

logger = logging.getLogger(__name__)


OPERATOR_SETTINGS = "ROLLCALL_OPERATORS__AUDIENCE or ROLLCALL_TENANT_ID"


def caller_of(
    request: func.HttpRequest, verifier: TokenVerifier | None, *, settings: str = OPERATOR_SETTINGS
) -> str | func.HttpResponse:
    """Who asks, by the issuer's id; or the answer that refuses, which is the same whatever was wrong.

    503 only where no key of the issuer is known, so that nobody can be told from anybody. `settings` are those
    without which there is no verifier.
    """
    if verifier is None:
        return refused(request, f"{settings} is not set")
    try:
        return verifier.caller(request.headers.get("authorization"))
    except TokenRefusedError as error:
        return refused(request, str(error))
    except RollcallError as error:
        logger.error("caller_unknown", extra={"reason": error.reason})  # noqa: TRY400 - one line
        return func.HttpResponse(status_code=503, headers={"Retry-After": "60"})


def refused(request: func.HttpRequest, reason: str) -> func.HttpResponse:
    """The same answer for everybody; why is for our log only."""
    logger.warning(
        "caller_refused", extra={"reason": quotable(reason), "path": quotable(request.url.partition("?")[0])}
    )
    return func.HttpResponse(status_code=401, headers={"WWW-Authenticate": "Bearer"})
