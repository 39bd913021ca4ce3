"""What `--fix` does: each wrong prerequisite that may safely be mended, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.doctor.verdicts import State, Verdict
from shared.errors import RollcallError

Menders = Mapping[str, Callable[[Verdict], str | None]]
"""By the key of a check: does what mends it and says what it did; None where this one is a person's."""


@dataclass(frozen=True, kw_only=True)
class Mended:
    """What was done about one verdict, or why it could not be."""

    verdict: Verdict
    done: str = ""
    error: str = ""


def mend(verdicts: Sequence[Verdict], menders: Menders) -> Iterator[Mended]:
    """Mends what is wrong; a refusal keeps nothing else from being mended."""
    for verdict in verdicts:
        mender = menders.get(verdict.check.key)
        if verdict.state is not State.WRONG or not verdict.check.fixable or mender is None:
            continue
        try:
            done = mender(verdict)
        except RollcallError as error:
            yield Mended(verdict=verdict, error=error.reason)
            continue
        if done:
            yield Mended(verdict=verdict, done=done)
