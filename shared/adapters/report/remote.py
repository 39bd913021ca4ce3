"""What the Function App says, fetched with an operator's token: the report, and its own prerequisites."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.rest import HttpRequest

from shared.adapters.azure.errors import translated
from shared.adapters.azure.retries import BoundedRetryPolicy
from shared.errors import ConfigurationError, PermanentError, TransientError

_CONNECT_SECONDS, _READ_SECONDS = 10, 230  # Azure ends a request after 230 s
_REPORT_REMEDY = "See the log of `report`, or ask with the operator's own rights: unset ROLLCALL_REPORT__URL."


_OK, _BUSY = 200, 503
_DOCTOR_REMEDY = "See the log of `doctor`; a Function App of before has no such function: deploy it."


class RemoteReport:
    """ƒ `report` and ƒ `doctor` of one Function App. A redirect is not followed: the token is for nobody else."""

    def __init__(self, credential: TokenCredential, *, url: str, audience: str) -> None:
        """`url` is the Function App's own address, `audience` the id URI of the application that its tokens are for."""
        self._credential = credential
        self._scope = f"{audience}/.default"
        self._api = f"{url.rstrip('/')}/api"
        self._client: PipelineClient[Any, Any] = PipelineClient(url, policies=[BoundedRetryPolicy(retry_total=1)])

    def page(self) -> bytes:
        """The page. Raises TransientError, PermanentError, ConfigurationError."""
        return self._fetch("report", {"format": "html"}, _REPORT_REMEDY)

    def data(self) -> bytes:
        """The typed data. Raises TransientError, PermanentError, ConfigurationError."""
        return self._fetch("report", {"format": "json"}, _REPORT_REMEDY)

    def findings(self, only: Iterable[str] = ()) -> bytes:
        """What it says of its own prerequisites, of those keys only where some are given.

        Raises TransientError, PermanentError, ConfigurationError.
        """
        keys = ",".join(sorted(only))
        return self._fetch("doctor", {"only": keys} if keys else {}, _DOCTOR_REMEDY)

    def _fetch(self, what: str, params: dict[str, str], remedy: str) -> bytes:
        with translated(f"fetch the {what}"):
            token = self._credential.get_token(self._scope).token
            request = HttpRequest(
                "GET", f"{self._api}/{what}", params=params, headers={"Authorization": f"Bearer {token}"}
            )
            answer = self._client.send_request(request, connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
            status, content = answer.status_code, bytes(answer.content)
        if status in {401, 403}:
            raise ConfigurationError(
                "the Function App does not take you for an operator",
                setting="ROLLCALL_REPORT__AUDIENCE",
                remedy="Have that application's role Rollcall.Operator, and name its id URI: docs/guides/report.md.",
            )
        if status == _BUSY:
            raise TransientError(f"the Function App cannot make the {what} now", remedy=remedy)
        if status != _OK:
            raise PermanentError(f"the Function App answers {status} where its {what} should be", remedy=remedy)
        return content
