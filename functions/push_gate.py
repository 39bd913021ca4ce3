"""Who may push: our own subscription of Pub/Sub, by the token in the header that Google makes for it."""

from __future__ import annotations

import azure.functions as func

from functions.operator_gate import caller_of, refused
from shared.adapters.tokens.verifier import TokenVerifier

SETTINGS = "ROLLCALL_GCP__PUSH_AUDIENCE or ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT"


def refusal_of(request: func.HttpRequest, verifier: TokenVerifier | None) -> func.HttpResponse | None:
    """The answer to whoever is not our subscription, the same for everybody; None where it is ours.

    Whoever has something in the query is refused, too: what stands there is written into logs on its way, and our
    subscription has nothing there.
    """
    if request.params or "?" in request.url:
        return refused(request, "the address has a query, where a token must never stand")
    caller = caller_of(request, verifier, settings=SETTINGS)
    return caller if isinstance(caller, func.HttpResponse) else None
