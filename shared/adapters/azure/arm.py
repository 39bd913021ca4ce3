"""Resource Manager in JSON: read, list, write and delete by path, for what no SDK of ours speaks well.

Source: Azure Resource Manager REST conventions (`value` and `nextLink` of lists, `error.code` of refusals).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from shared.adapters.azure.errors import read_failure, translated
from shared.adapters.azure.registration import Registration
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.errors import PermanentError

Json = dict[str, Any]
Statuses = frozenset[int]
NONE: Statuses = frozenset()
_GONE = {404, 410}
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)


@contextmanager
def _refused(doing: str, statuses: Statuses) -> Iterator[None]:
    """Some services answer with one of `statuses`, which means another thing elsewhere, that this never can be."""
    try:
        yield
    except HttpResponseError as error:
        failure = read_failure(error)
        about_token = "authenticationtoken" in failure.code.lower()
        if failure.code and failure.status in statuses and not about_token:
            raise PermanentError(f"{doing}: {failure.status} {failure.code} {failure.message}") from error
        raise


class ArmClient:
    """Every method names in `doing`, in words for people, what it is done for; all raise our errors only.

    The statuses `refused_by` say that this request never can succeed, as PermanentError.
    """

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`, https, without a trailing slash."""
        self._endpoint = arm_endpoint.rstrip("/")
        self._registration = Registration(credential, arm_endpoint=arm_endpoint)
        self._client: ARMPipelineClient[Any, Any] = ARMPipelineClient(
            base_url=self._endpoint, policies=pipeline_policies(credential), **TIMEOUTS
        )

    def get(self, path: str, api_version: str, *, doing: str) -> Json:
        """A resource. Raises PermanentError where there is none."""
        with translated(doing):
            return self._send("GET", self._url(path), api_version)

    def find(self, path: str, api_version: str, *, doing: str, refused_by: Statuses = NONE) -> Json | None:
        """A resource; None where Resource Manager says, with a code, that there is none."""
        with translated(doing), _refused(doing, refused_by):
            try:
                return self._send("GET", self._url(path), api_version)
            except HttpResponseError as error:
                if error.status_code in _GONE and read_failure(error).code:
                    return None
                raise

    def list(self, path: str, api_version: str, *, doing: str, refused_by: Statuses = NONE) -> Iterator[Json]:
        """Everything below a path, page by page."""
        url: str | None = self._url(path)
        version: str | None = api_version
        while url:
            with translated(doing), _refused(doing, refused_by):
                page = self._send("GET", url, version)
            yield from page.get("value") or ()
            url, version = page.get("nextLink"), None  # it names its version itself

    def put(self, path: str, api_version: str, body: Json, *, doing: str, refused_by: Statuses = NONE) -> Json:
        """Creates or replaces a resource."""
        with translated(doing), _refused(doing, refused_by):
            return self._send("PUT", self._url(path), api_version, body)

    def patch(self, path: str, api_version: str, body: Json, *, doing: str) -> Json:
        """Changes a part of a resource."""
        with translated(doing):
            return self._send("PATCH", self._url(path), api_version, body)

    def post(self, path: str, api_version: str, *, doing: str) -> Json:
        """Asks a resource to do something."""
        with translated(doing):
            return self._send("POST", self._url(path), api_version)

    def delete(self, path: str, api_version: str, *, doing: str) -> None:
        """Deletes a resource; one that is not there is no error."""
        with translated(doing):
            request = HttpRequest("DELETE", self._url(path), params={"api-version": api_version})
            response = self._client.send_request(request)
            if response.status_code not in _GONE:
                response.raise_for_status()

    def _url(self, path: str) -> str:
        return f"{self._endpoint}{path}"

    def _send(self, method: str, url: str, api_version: str | None, body: Json | None = None) -> Json:
        params = {"api-version": api_version} if api_version else {}
        response = self._client.send_request(HttpRequest(method, url, params=params, json=body))
        try:
            response.raise_for_status()
        except HttpResponseError as error:
            if subscription := _SUBSCRIPTION.search(url):
                self._registration.ensure(subscription[1], error)
            raise
        answer: Json = response.json()
        return answer
