"""ƒ gcp_project_events: a push of GCP's audit log becomes a request on `onboarding`.

Token first, body after. What is answered 2xx is forgotten by Pub/Sub, everything else comes again for days. So 204
says that the request is on the queue, that the entry asks nothing of us, or that it is parked: what can never be read,
a body beyond the limit included, would only come again. 413 would ask for just that.
"""

from __future__ import annotations

import azure.functions as func

from functions import telemetry

blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("gcp_project_events")
@blueprint.route(route="gcp/project-events", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def gcp_project_events(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers one push."""
    from functions import bootstrap, gcp_bootstrap, push_entry

    verifier = bootstrap.push_verifier()
    with telemetry.invocation(context):
        return push_entry.admitted(req, verifier, gcp_bootstrap.project_event_ports)
