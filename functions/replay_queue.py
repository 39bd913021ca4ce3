"""ƒ replay_queue: messages that were given up, over HTTP, as `rollcall replay` does it.

`GET /api/replay` lists, `GET /api/replay/{id}` shows; both change nothing. `POST /api/replay` sends back or discards.
The host asks nobody for a key and no platform stands in front: every caller is verified here.
"""

from __future__ import annotations

import azure.functions as func

from functions import telemetry

blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("replay_queue")
@blueprint.route(route="replay/{identifier?}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def replay_queue(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Answers one request of an operator."""
    from functions import bootstrap, replay_entry

    verifier = bootstrap.operator_verifier()
    with telemetry.invocation(context):
        return replay_entry.admitted(req, verifier, bootstrap.replay_ports)
