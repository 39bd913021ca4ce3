"""ƒ health_sweep: once a day it asks for a sweep. A timer's failure is tried again by nobody, so it does no more."""

from __future__ import annotations

import logging

import azure.functions as func

from functions import telemetry

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped


@blueprint.function_name("health_sweep")
@blueprint.timer_trigger(arg_name="timer", schedule="%ROLLCALL_SWEEP__SCHEDULE%", run_on_startup=False)
def health_sweep(timer: func.TimerRequest, context: func.Context) -> None:
    """Puts the message that a sweep begins with."""
    from functions import bootstrap
    from shared.adapters.clock import SystemClock
    from shared.application.plan_sweep import ask_for_sweep

    slices = bootstrap.slice_queue()
    with telemetry.invocation(context):
        message = ask_for_sweep(slices, SystemClock())
        level = logging.WARNING if timer.past_due else logging.INFO
        logger.log(level, "sweep_asked_for", extra={"run": message.run, "past_due": timer.past_due})
