"""ƒ sweep_slice: a message on `sweep` plans a sweep, or does one slice of it, or tells somebody of its report.

The last slice makes the report.
"""

from __future__ import annotations

import azure.functions as func

from functions import telemetry

blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("sweep_slice")
@blueprint.queue_trigger(arg_name="message", queue_name="sweep", connection="ROLLCALL_QUEUE")
def sweep_slice(message: func.QueueMessage, context: func.Context) -> None:
    """Works on one message; raising leaves it to the queue's own tries."""
    from functions import slice_entry, sweep_bootstrap

    ports = sweep_bootstrap.sweep_ports()
    with telemetry.invocation(context):
        slice_entry.handle_message(message.get_body(), message.dequeue_count or 1, ports, sweep_bootstrap.notify_ports)
