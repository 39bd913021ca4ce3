"""ƒ create_connector: a message on `onboarding` becomes a security connector, or takes one away."""

from __future__ import annotations

import azure.functions as func

from functions import telemetry

blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("create_connector")
@blueprint.queue_trigger(arg_name="message", queue_name="onboarding", connection="ROLLCALL_QUEUE")
def create_connector(message: func.QueueMessage, context: func.Context) -> None:
    """Works on one message; raising leaves it to the queue's own tries."""
    from functions import bootstrap
    from functions.queue_entry import handle_request

    ports = bootstrap.onboard_ports()
    with telemetry.invocation(context):
        handle_request(message.get_body(), message.dequeue_count or 1, ports)
