"""Resource Manager in JSON: read, list, write and ask by path, for what no SDK of ours speaks well.

Source: Azure Resource Manager REST conventions (`value` and `nextLink` of lists, `error.code` of refusals).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient

from shared.adapters.azure.bodies import objects_in, text_in
from shared.adapters.azure.errors import Failure, read_failure, translated
from shared.adapters.azure.registration import Registration
from shared.adapters.azure.resource_manager import pipeline_policies
from shared.adapters.azure.timeouts import TIMEOUTS
from shared.adapters.diagnosis import Diagnosis

Json = dict[str, Any]
Refusals = Mapping[int, Diagnosis]
NONE: Refusals = MappingProxyType({})
_GONE = {404, 410}
_TELLS_NOTHING = {401, 403, 408, 429}
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)


@contextmanager
def _refused(doing: str, refusals: Refusals) -> Iterator[None]:
    """Some services say something of their own with a status that means another thing elsewhere."""
    try:
        yield
    except HttpResponseError as error:
        failure = read_failure(error)
        about_token = "authenticationtoken" in failure.code.lower()
        diagnosis = refusals.get(failure.status)
        if failure.code and diagnosis and not about_token:
            raise diagnosis.error(f"{doing}: {failure.status} {failure.code} {failure.message}") from error
        raise


def is_gone(failure: Failure) -> bool:
    """Whether Resource Manager says, with a code, that there is no such resource."""
    return failure.status in _GONE and bool(failure.code)


def is_retired(failure: Failure) -> bool:
    """Whether an API that is being taken away is away: any refusal of the request itself but a proxy's own page.

    401, 403, 408 and 429 are about us or about the moment, and not about the API.
    """
    return 400 <= failure.status <= 499 and failure.status not in _TELLS_NOTHING and failure.legible  # noqa: PLR2004


def _page(answer: Json) -> tuple[list[Json], str]:
    """What a page of a list holds, and where the next one is. Raises TypeError where it has another shape."""
    return objects_in(answer, "value"), text_in(answer, "nextLink")


class ArmClient:
    """Every method names in `doing`, in words for people, what it is done for; all raise our errors only.

    `refused_by` names statuses that mean something of their own here, and what.
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

    def find(self, path: str, api_version: str, *, doing: str, refused_by: Refusals = NONE) -> Json | None:
        """A resource; None where Resource Manager says, with a code, that there is none."""
        with translated(doing), _refused(doing, refused_by):
            try:
                return self._send("GET", self._url(path), api_version)
            except HttpResponseError as error:
                if is_gone(read_failure(error)):
                    return None
                raise

    def list(
        self,
        path: str,
        api_version: str,
        *,
        doing: str,
        refused_by: Refusals = NONE,
        absent: Callable[[Failure], bool] = lambda _: False,
    ) -> Iterator[Json]:
        """Everything below a path, page by page; `absent` tells which refusals of the first mean that nothing is."""
        with translated(doing), _refused(doing, refused_by):
            try:
                page = self._send("GET", self._url(path), api_version)
            except HttpResponseError as error:
                if absent(read_failure(error)):
                    return
                raise
            found, following = _page(page)
        yield from found
        while following:
            with translated(doing), _refused(doing, refused_by):
                found, following = _page(self._send("GET", following, None))  # it names its version itself
            yield from found

    def put(self, path: str, api_version: str, body: Json, *, doing: str, refused_by: Refusals = NONE) -> Json:
        """Creates or replaces a resource."""
        with translated(doing), _refused(doing, refused_by):
            return self._send("PUT", self._url(path), api_version, body)

    def delete(self, path: str, api_version: str, *, doing: str) -> None:
        """Deletes a resource; one that is gone is no error."""
        with translated(doing):
            params = {"api-version": api_version}
            response = self._client.send_request(HttpRequest("DELETE", self._url(path), params=params))
            try:
                response.raise_for_status()
            except HttpResponseError as error:
                if not is_gone(read_failure(error)):
                    raise

    def post(self, path: str, api_version: str, *, doing: str) -> Json:
        """Asks a resource to do something."""
        with translated(doing):
            return self._send("POST", self._url(path), api_version)

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
