"""ƒ doctor: what the Function App says of its own prerequisites, as its own identity. It only looks.

Whoever may replay may ask; the caller is verified here, as in `replay_queue`. Nothing is mended over HTTP.
"""

from __future__ import annotations

import azure.functions as func

from functions import telemetry

blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("doctor")
@blueprint.route(route="doctor", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def doctor(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers one request of an operator."""
    from functions import bootstrap, doctor_bootstrap, doctor_entry

    verifier = bootstrap.operator_verifier()
    with telemetry.invocation(context):
        return doctor_entry.admitted(req, verifier, doctor_bootstrap.questions)
