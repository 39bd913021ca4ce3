"""A command that ends in the middle, stopped or refused: what is done so far, and how to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.output import FOUND, WRONG_USAGE, RefusedError
from shared.errors import ConfigurationError, RollcallError, TransientError


@contextmanager
def told_halfway(done: Callable[[], str], go_on: str) -> Iterator[None]:
    """Says with Ctrl-C and with what a service refuses what `done` says; where that is nothing, a refusal stays bare.

    A sign-in that expires in the middle is such a refusal. Raises RefusedError.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise RefusedError(f"stopped {done()}".rstrip(), remedy=go_on) from None
    except RollcallError as error:
        if not (said := done()):
            raise
        reason = f"ended {said}: {error.reason}"
        remedy = f"{error.remedy} Then {go_on}".strip()
        raise RefusedError(reason, remedy=remedy, exit_code=exit_code_of(error)) from error


def exit_code_of(error: RollcallError) -> int:
    """Nobody waits at a shell: a grant that may still be settling is told as what is missing."""
    settling = isinstance(error, TransientError) and error.patience is not None
    return WRONG_USAGE if settling or isinstance(error, ConfigurationError) else FOUND
