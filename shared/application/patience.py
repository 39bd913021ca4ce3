"""When a failure that may pass by itself has lasted too long to be one."""

from __future__ import annotations

from datetime import datetime

from shared.application.ports import Clock
from shared.errors import RollcallError, TransientError


def unless_lasting(error: RollcallError, *, since: datetime, clock: Clock) -> RollcallError:
    """`error` itself, met by work that was asked for at `since`.

    Raises ConfigurationError where it is a failure of the kind that means a wrong deployment when it lasts, and
    the work is older than that.
    """
    if isinstance(error, TransientError) and (lasting := error.lasting((clock.now() - since).total_seconds())):
        raise lasting from error
    return error
