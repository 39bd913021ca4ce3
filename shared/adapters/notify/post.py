"""One POST to a receiver. Its address may be a secret: nothing here says more of it than the host.

A redirect is not followed, and what the receiver says beside its status and `Retry-After` is not read: both are
strangers' words.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest

from shared.adapters.notify import straight
from shared.errors import ConfigurationError, PermanentError, TransientError

_CONNECT_SECONDS = 5
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
"""A name as DNS has it, or an address: it is written into errors and logs."""
_UNRESOLVED = "@microsoft.keyvault("
_PASSES = frozenset({408, 425, 429, *range(500, 600)})
_GONE = frozenset({401, 403, 404, 410})


def keep_addresses_out_of_the_log() -> None:
    """Keeps the path of a request, which may be a secret, from where the HTTP library writes it.

    At level DEBUG it writes every path; at level WARNING the whole address, where headers of an answer are malformed.
    Source: urllib3 2.8, `connectionpool.py` and `connection.py`.
    """
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class Receiving:
    """An address that takes JSON, in the setting `setting`."""

    def __init__(self, address: str, *, setting: str) -> None:
        """Nothing is asked, and nothing refused, before `post`."""
        self._address = address.strip()
        self._setting = setting

    def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Sends it; any 2xx means that it was taken.

        Raises:
            ConfigurationError: the address is none, or not one that takes messages any more.
            TransientError: no answer, 429 or a failure of the receiver's; with its `Retry-After`, if it named seconds.
            PermanentError: it does not take this message.
        """
        host = self._host()
        kind = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "rollcall"}
        request = HttpRequest("POST", self._address, content=body, headers=kind | dict(headers or {}))
        transport = RequestsTransport(session=straight.StraightSession())
        client: PipelineClient[Any, Any] = PipelineClient(self._address, policies=[], transport=transport)
        try:
            with client:
                answer = client.send_request(
                    request, stream=True, connection_timeout=_CONNECT_SECONDS, read_timeout=straight.ANSWER_SECONDS
                )
                status, wait = answer.status_code, _seconds(answer.headers.get("Retry-After"))
                answer.close()
        except AzureError as error:  # its own words would tell the whole address
            raise TransientError(f"{host} gave no answer ({type(error).__name__})") from None
        except ValueError:
            raise ConfigurationError("the receiver's address is no https address", setting=self._setting) from None
        self._judge(host, status, wait)

    def _host(self) -> str:
        """The host of the address. Raises ConfigurationError where it is no https address."""
        if not self._address:
            raise ConfigurationError(
                "the setting of the receiver's address is missing",
                setting=self._setting,
                remedy=f"Set {self._setting} to a Key Vault reference, or take the receiver out of the policy.",
            )
        if self._address.lower().startswith(_UNRESOLVED):
            raise ConfigurationError(
                "the Key Vault reference is not resolved",
                setting=self._setting,
                remedy=f"Give the Function App's identity Key Vault Secrets User on the secret that {self._setting} "
                "names, see that the secret is there and enabled, then restart the app.",
            )
        try:
            parts = urlsplit(self._address)
            name, port = parts.hostname or "", parts.port
        except ValueError:
            parts, name, port = urlsplit(""), "", None
        if parts.scheme != "https" or not _HOST.fullmatch(name):
            raise ConfigurationError("the receiver's address is no https address", setting=self._setting)
        return f"{name}:{port}" if port else name

    def _judge(self, host: str, status: int, wait: float | None) -> None:
        if 200 <= status < 300:
            return
        if status in _PASSES:
            raise TransientError(f"{host} answered {status}", retry_after_seconds=wait)
        if status in _GONE:
            raise ConfigurationError(
                f"{host} answered {status}: it does not take messages at this address",
                setting=self._setting,
                remedy=f"Put the receiver's present address into the secret that {self._setting} names, restart the "
                "app, then run `rollcall sweep`.",
            )
        if 300 <= status < 400:
            raise PermanentError(
                f"{host} answered {status}; a redirect is not followed",
                remedy=f"Put the address that it leads to into the secret that {self._setting} names.",
            )
        raise PermanentError(f"{host} answered {status}: it does not take this message")


def _seconds(value: str | None) -> float | None:
    """The seconds of a `Retry-After`; None where it is missing, a date, or nothing sensible."""
    try:
        seconds = float(value) if value else math.nan
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None
