"""ƒ report: how the roll stands, as one page of HTML, or as typed data with `?format=json`. It only reads.

Whoever may replay may read it; the caller is verified here, as in `replay_queue`.
"""

from __future__ import annotations

import azure.functions as func

from functions import telemetry

blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("report")
@blueprint.route(route="report", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def report(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers one request of an operator."""
    from functions import bootstrap, report_entry, sweep_bootstrap

    verifier = bootstrap.operator_verifier()
    with telemetry.invocation(context):
        return report_entry.admitted(req, verifier, sweep_bootstrap.report_ports)
