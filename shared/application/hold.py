"""Looking through a queue of given-up messages: they are taken, which hides them for a while, and given back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from shared.application.replay_ports import GivenUp, GivenUpQueue, Taken
from shared.application.side_by_side import side_by_side
from shared.errors import TransientError


class Hold:
    """The messages of one queue that are ours for a while."""

    def __init__(self, queue: GivenUpQueue, seconds: int) -> None:
        """`seconds` is how long a message is ours at most."""
        self._queue = queue
        self._seconds = seconds
        self._ours: dict[str, Taken] = {}

    def pages(self) -> Iterator[list[GivenUp]]:
        """The queue's messages, each once, until it gives out none that is new: hidden ones come back in time."""
        seen: set[str] = set()
        repeated = 0
        while repeated <= len(seen) and (page := self._queue.take(self._seconds)):
            self._ours |= {each.message_id: each for each in page}
            new = [each for each in page if each.message_id not in seen]
            repeated = 0 if new else repeated + len(page)
            seen.update(each.message_id for each in new)
            yield side_by_side(self._queue.read, new)

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
