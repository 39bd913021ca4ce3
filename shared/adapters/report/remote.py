"""The report as the Function App makes it, fetched with an operator's token."""

from __future__ import annotations

from typing import Any

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.pipeline.policies import RetryPolicy
from azure.core.rest import HttpRequest

from shared.adapters.azure.errors import translated
from shared.errors import ConfigurationError, PermanentError, TransientError

_CONNECT_SECONDS, _READ_SECONDS = 10, 230  # Azure ends a request after 230 s
_REMEDY = "See the log of `report`, or ask with the operator's own rights: unset ROLLCALL_REPORT__URL."


class RemoteReport:
    """ƒ `report` of one Function App. A redirect is not followed: the token is for nobody else."""

    def __init__(self, credential: TokenCredential, *, url: str, audience: str) -> None:
        """`url` is the Function App's own address, `audience` the id URI of the application that its tokens are for."""
        self._credential = credential
        self._scope = f"{audience}/.default"
        self._address = f"{url.rstrip('/')}/api/report"
        self._client: PipelineClient[Any, Any] = PipelineClient(url, policies=[RetryPolicy(retry_total=1)])

    def page(self) -> bytes:
        """The page. Raises TransientError, PermanentError, ConfigurationError."""
        return self._fetch("html")

    def data(self) -> bytes:
        """The typed data. Raises TransientError, PermanentError, ConfigurationError."""
        return self._fetch("json")

    def _fetch(self, wanted: str) -> bytes:
        with translated("fetch the report"):
            token = self._credential.get_token(self._scope).token
            request = HttpRequest(
                "GET", self._address, params={"format": wanted}, headers={"Authorization": f"Bearer {token}"}
            )
            answer = self._client.send_request(request, connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
            status, content = answer.status_code, bytes(answer.content)
        if status in {401, 403}:
            raise ConfigurationError(
                "the Function App does not take you for an operator",
                setting="ROLLCALL_REPORT__AUDIENCE",
                remedy="Have that application's role Rollcall.Operator, and name its id URI: docs/guides/report.md.",
            )
        if status == 503:
            raise TransientError("the Function App cannot make the report now", remedy=_REMEDY)
        if status != 200:
            raise PermanentError(f"the Function App answers {status} where its report should be", remedy=_REMEDY)
        return content
