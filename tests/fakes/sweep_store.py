"""Where a sweep keeps what it knows, in memory: its documents, and the queue `sweep`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from shared.application.sweep_ports import Document
from shared.messages.sweep_notice import SweepNotice
from shared.messages.sweep_slice import SweepSlice
from tests.fakes.failures import Failures


class FakeDocuments:
    """Documents by name, with versions that count."""

    def __init__(self) -> None:
        self.kept: dict[str, Document] = {}
        self.failures = Failures()
        self._version = 0

    def find(self, name: str) -> Document | None:
        """The document."""
        self.failures.strike("find")
        return self.kept.get(name)

    def put(self, name: str, content: bytes, *, over: str | None = None) -> bool:
        """Compares versions as the service does."""
        self.failures.strike("put")
        present = self.kept.get(name)
        if over is not None and over != (present.version if present is not None else ""):
            return False
        self._version += 1
        self.kept[name] = Document(content=content, version=str(self._version))
        return True

    def list_names(self, prefix: str) -> Iterator[str]:
        """The names that begin so."""
        self.failures.strike("list_names")
        return iter([name for name in self.kept if name.startswith(prefix)])

    def list_folders(self, prefix: str) -> Iterator[str]:
        """The folders below."""
        self.failures.strike("list_folders")
        rest = [name.removeprefix(prefix) for name in self.kept if name.startswith(prefix)]
        return iter(dict.fromkeys(each.partition("/")[0] for each in rest if "/" in each))

    def delete(self, name: str) -> None:
        """Deletes it."""
        self.failures.strike("delete")
        self.kept.pop(name, None)


class FakeSliceQueue:
    """Messages in the order in which they were put."""

    def __init__(self) -> None:
        self.messages: deque[SweepSlice] = deque()
        self.notices: deque[tuple[SweepNotice, float]] = deque()
        self.failures = Failures()

    def send_slice(self, message: SweepSlice) -> None:
        """Puts a message."""
        self.failures.strike("send_slice")
        self.messages.append(SweepSlice.from_json(message.to_json()))

    def send_notice(self, message: SweepNotice, *, delay_seconds: float = 0.0) -> None:
        """Puts a message, with the delay that was asked for."""
        self.failures.strike("send_notice")
        self.notices.append((SweepNotice.from_json(message.to_json()), delay_seconds))
