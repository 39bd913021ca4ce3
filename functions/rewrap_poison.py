"""ƒ rewrap_poison: once a day, messages that the host gave up are parked, so that they do not expire."""

from __future__ import annotations

import logging

import azure.functions as func

from functions import telemetry

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("rewrap_poison")
@blueprint.timer_trigger(arg_name="timer", schedule="0 30 4 * * *")
def rewrap_poison(timer: func.TimerRequest, context: func.Context) -> None:
    """Looks through the poison queue; a failure is tried again the next day, of seven."""
    from functions import bootstrap
    from shared.application.rewrap import rewrap

    ports = bootstrap.rewrap_ports()
    with telemetry.invocation(context):
        found = rewrap(ports)
        facts = {"seen": found.seen, "parked": found.parked, "failed": found.failed, "past_due": timer.past_due}
        logger.log(logging.ERROR if found.failed else logging.INFO, "poison_looked_through", extra=facts)
