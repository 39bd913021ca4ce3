"""A request to a stranger: its answer ends within a time, no redirect is looked at, and no body is read."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.response import HTTPResponse
from urllib3.util import Retry

ANSWER_SECONDS = 15
"""How long status and headers may take together, however slowly they drip."""


class StraightSession(requests.Session):
    """A session that speaks https only, tries once, and reads no more than status and headers."""

    def __init__(self) -> None:
        """Nothing is connected yet."""
        super().__init__()
        self.adapters.clear()
        self.mount("https://", _Adapter(max_retries=Retry(total=False)))

    def resolve_redirects(self, *_: Any, **__: Any) -> Iterator[Any]:
        """None. The library would read the answer's body to its end, also where no redirect is to be followed.

        Source: requests 2.34, `Session.send` and `SessionRedirectMixin.resolve_redirects`.
        """
        return iter(())


class _Connection(HTTPSConnection):
    """Hangs up where the answer takes too long: the socket's own time-out counts anew with each byte."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as in the library's own class
        """Status and headers. Raises TimeoutError where they did not end in time."""
        late = threading.Event()
        timer = threading.Timer(ANSWER_SECONDS, self._hang_up, [late])
        timer.daemon = True
        timer.start()
        try:
            answer = super().getresponse()
        finally:
            timer.cancel()
        if late.is_set():  # headers that end with the connection would do
            answer.close()
            raise TimeoutError
        return answer

    def _hang_up(self, late: threading.Event) -> None:
        late.set()
        if isinstance(self.sock, socket.socket):
            with contextlib.suppress(OSError):  # closed already
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not the SSL object's, which is being read


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """The library's, with connections of ours. Source: urllib3 2.8, `PoolManager.pool_classes_by_scheme`."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}
