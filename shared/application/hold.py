"""Looking through a queue of given-up messages: they are taken, which hides them for a while, and given back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from shared.application.ports import Clock
from shared.application.replay_ports import GivenUp, GivenUpQueue, Taken
from shared.application.side_by_side import side_by_side
from shared.errors import TransientError


class Hold:
    """The messages of one queue that are ours for a while."""

    def __init__(self, queue: GivenUpQueue, seconds: int, clock: Clock) -> None:
        """`seconds` is how long a message is ours at most."""
        self._queue = queue
        self._seconds = seconds
        self._clock = clock
        self._ours: dict[str, Taken] = {}
        self._seen: set[str] = set()
        self._safe_until: datetime | None = None

    def pages(self) -> Iterator[list[GivenUp]]:
        """The queue's messages, each once, until it gives out none that is new: hidden ones come back in time."""
        repeated = 0
        while repeated <= len(self._seen) and (page := self._take()):
            self._ours |= {each.message_id: each for each in page}
            new = [each for each in page if each.message_id not in self._seen]
            repeated = 0 if new else repeated + len(page)
            self._seen.update(each.message_id for each in new)
            yield side_by_side(self._queue.read, new)

    def _take(self) -> Sequence[Taken]:
        self._safe_until = self._clock.now() + timedelta(seconds=self._seconds / 2)
        return self._queue.take(self._seconds)

    def is_ending(self) -> bool:
        """Whether the last page may soon be somebody else's: half of its time is over."""
        return self._safe_until is not None and self._clock.now() >= self._safe_until

    def return_unworked(self, messages: Sequence[GivenUp]) -> None:
        """Gives these back for now; `pages` gives them out again."""
        for message in messages:
            self._seen.discard(message.message_id)
            if (taken := self._ours.pop(message.message_id, None)) is not None:
                with suppress(TransientError):
                    self._queue.give_back(taken)

    def let_go(self, message: GivenUp) -> None:
        """It is gone, or somebody else's."""
        self._ours.pop(message.message_id, None)

    def give_back(self) -> None:
        """Shows all that are still ours to others; where that cannot be said, their time ends by itself."""

        def give_back(taken: Taken) -> None:
            with suppress(TransientError):
                self._queue.give_back(taken)

        side_by_side(give_back, self._ours.values())
        self._ours.clear()
