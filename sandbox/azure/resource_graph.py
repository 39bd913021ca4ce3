"""Azure Resource Graph: late, paged, and silent about what the caller may not read.

Source: Microsoft.ResourceGraph/resources, API version 2021-03-01, and live answers of it; for subscriptions and plans
that nobody touched the sample queries of its documentation.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sandbox.azure.answers import RefusalError
from sandbox.azure.directory import Directory, Identity
from sandbox.azure.kusto import Query, parse
from sandbox.azure.kusto_expressions import Row
from sandbox.azure.kusto_functions import QueryError
from sandbox.azure.kusto_memory import KustoMemory
from sandbox.azure.pricings import untouched
from sandbox.azure.resources import Document, Resources

API_VERSIONS = ("2021-03-01", "2021-06-01-preview", "2022-10-01", "2024-04-01")
QUOTA, QUOTA_SECONDS = 15, 5.0
"""How many queries an identity has in how long."""
_MAX_ROWS = 1000
_PLANS = "microsoft.security/pricings"
_SECURITY_TABLE = (
    "microsoft.security/assessments",
    "microsoft.security/assessments/subassessments",
    "microsoft.security/attackpaths",
    "microsoft.security/governancerules",
    "microsoft.security/healthreports",
    _PLANS,
    "microsoft.security/regulatorycompliancestandards",
    "microsoft.security/standardassignments",
)
_NOT_INDEXED = {"microsoft.authorization/locks"}
_SUBSCRIPTIONS = "microsoft.resources/subscriptions"
_NULL_COLUMNS = ("sku", "plan", "identity", "zones", "extendedLocation")
_COLUMNS = frozenset(
    {
        *("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId"),
        *("managedBy", "tags", "properties", *_NULL_COLUMNS),
    }
)


class ResourceGraph:
    """Answers queries over the resources as they were a while ago."""

    def __init__(self, resources: Resources, directory: Directory, *, lag_seconds: float) -> None:
        self._resources = resources
        self._directory = directory
        self.quota = QUOTA
        self.lag_seconds = lag_seconds
        self._asked: dict[str, deque[float]] = defaultdict(deque)
        self._memory = KustoMemory()
        self._lock = threading.Lock()

    def reset_quota(self) -> None:
        """Gives every caller its whole quota again."""
        with self._lock:
            self._asked.clear()

    def query(self, body: Any, caller: Identity) -> tuple[Document, dict[str, str]]:
        """The answer's body and quota headers.

        Raises:
            RefusalError: a bad query (400) or the caller's quota is spent (429).
        """
        started = time.monotonic()
        headers = self._quota(caller)
        if not isinstance(body, dict) or not isinstance(body.get("query"), str):
            raise _bad_request("InvalidQuery", "Query is missing.")
        options = body.get("options") or {}
        if options.get("resultFormat", "objectArray") != "objectArray":
            raise _bad_request("InvalidOptions", "Only the result format objectArray is simulated.")
        if body.get("managementGroups"):
            raise _bad_request("InvalidOptions", "A scope of management groups is not simulated.")
        top, skip = _page(options)
        try:
            query = parse(body["query"], _COLUMNS)
            rows = self._found(query, body, caller)
        except QueryError as error:
            raise _bad_request(error.code, str(error)) from error
        data = rows[skip : skip + top]
        more = skip + len(data) < len(rows)
        answer: Document = {
            "totalRecords": len(rows),
            "count": len(data),
            "data": data,
            "facets": [],
            "resultTruncated": "true" if more and query.limited else "false",
        }
        if more and not query.limited:
            answer["$skipToken"] = _skip_token(top, skip + len(data))
        headers["x-ms-resource-graph-request-duration"] = f"0:00:00:{time.monotonic() - started:010.7f}"
        return answer, headers

    def _quota(self, caller: Identity) -> dict[str, str]:
        now = time.monotonic()
        with self._lock:
            asked = self._asked[caller.object_id]
            while asked and now - asked[0] > QUOTA_SECONDS:
                asked.popleft()
            spent = len(asked) >= self.quota
            if not spent:
                asked.append(now)
            remaining, resets = self.quota - len(asked), QUOTA_SECONDS - (now - asked[0])
        headers = {
            "x-ms-ratelimit-remaining-tenant-resource-requests": str(remaining),
            "x-ms-user-quota-remaining": str(remaining),
            "x-ms-user-quota-resets-after": f"00:00:{max(1, round(resets)):02d}",
        }
        if spent:
            text = (
                "Client application has been throttled and should not attempt to repeat the request until an "
                "amount of time has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."
            )
            raise _refusal(429, "RateLimiting", [{"code": "RateLimiting", "message": text}], headers)
        return headers

    def _found(self, query: Query, body: Document, caller: Identity) -> list[Row]:
        """All rows; nothing is looked for twice while nothing changes."""
        moment = time.monotonic() - self.lag_seconds
        subscriptions = body.get("subscriptions")

        def read(wanted: Query) -> list[Row]:
            return self._rows(wanted, subscriptions, caller, moment)

        state = (self._resources.revision, self._directory.revision)
        if self._resources.changed_at > moment or not _is_kept(query):  # not all can be seen yet
            return query.run(read(query), read)
        return self._memory.run(query, read, caller=(repr(subscriptions), caller.object_id), state=state)

    def _rows(self, query: Query, subscriptions: Any, caller: Identity, moment: float) -> list[Row]:
        table = query.table
        if table not in {"resources", "securityresources", "resourcecontainers"}:
            raise QueryError("InvalidQuery", f"The table '{table}' is not simulated.")
        asked = {str(each).lower() for each in subscriptions} if subscriptions else None
        if table == "resourcecontainers":
            return [_row(each, self._directory.tenant_id) for each in self._containers(caller, asked)]
        wanted = table == "securityresources"
        return [
            _row(document, self._directory.tenant_id)
            for document in self._readable(caller, asked, query, moment)
            if (document["type"].lower() in _SECURITY_TABLE) == wanted and document["type"].lower() not in _NOT_INDEXED
        ]

    def _readable(
        self, caller: Identity, subscriptions: set[str] | None, query: Query, moment: float
    ) -> Iterable[Document]:
        verdicts: dict[tuple[str, str], bool] = {}
        for document in self._known(query, moment):
            subscription = _subscription(document["id"])
            if subscriptions is not None and subscription not in subscriptions:
                continue
            action = f"{document['type']}/read"
            key = (subscription, action)
            if key not in verdicts:
                scope = f"/subscriptions/{subscription}"
                verdicts[key] = self._directory.allows(caller, action, scope)
            if verdicts[key] or self._directory.allows(caller, action, document["id"]):
                yield document

    def _known(self, query: Query, moment: float) -> Iterable[Document]:
        """What there is, and the plans of registered subscriptions that nobody ever changed."""
        if query.types is not None and _PLANS not in query.types:
            return self._resources.as_of(moment, query.types, query.ids)
        known = {document["id"].lower(): document for document in self._resources.as_of(moment, query.types, query.ids)}
        for subscription in self._resources.subscriptions():
            if "microsoft.security" in subscription.registered:
                for plan in untouched(subscription.id):
                    known.setdefault(plan["id"].lower(), plan)
        return known.values()

    def _containers(self, caller: Identity, subscriptions: set[str] | None) -> Iterable[Document]:
        """The subscriptions that the caller may read; resource groups and management groups are not simulated."""
        for each in self._resources.subscriptions():
            scope = f"/subscriptions/{each.id}"
            asked = subscriptions is None or each.id.lower() in subscriptions
            if asked and self._directory.allows(caller, f"{_SUBSCRIPTIONS}/read", scope):
                yield {
                    "id": scope,
                    "name": each.name,
                    "type": _SUBSCRIPTIONS,
                    "properties": {"state": each.state, "managementGroupAncestorsChain": []},
                }


def _is_kept(query: Query) -> bool:
    """Whether all that a query reads is in the revisions: subscriptions, and plans that nobody touched, are not.

    Of one that names ids only these are read, so that its beginning says nothing about other queries.
    """
    if query.table == "resourcecontainers" or query.joins:
        return False
    return query.ids is None and query.types is not None and _PLANS not in query.types


def _subscription(resource_id: str) -> str:
    return resource_id.split("/")[2].lower()


def _row(document: Document, tenant_id: str) -> Row:
    parts = document["id"].split("/")
    return {
        "id": document["id"],
        "name": document["name"],
        "type": document["type"].lower(),
        "tenantId": tenant_id,
        "kind": document.get("kind") or "",
        "location": str(document.get("location", "")).lower().replace(" ", ""),
        "resourceGroup": parts[4].lower() if parts[3:4] and parts[3].lower() == "resourcegroups" else "",
        "subscriptionId": parts[2],
        "managedBy": "",
        **{name: document.get(name) for name in _NULL_COLUMNS},
        "tags": document.get("tags") or None,
        "properties": document.get("properties") or {},
    }


def _page(options: dict[str, Any]) -> tuple[int, int]:
    top, skip = options.get("$top", _MAX_ROWS), options.get("$skip", 0)
    if not isinstance(top, int) or not 1 <= top <= _MAX_ROWS:
        raise _bad_request("InvalidOptions", "$top must be between 1 and 1000.")
    token = options.get("$skipToken")
    if token:
        try:
            content = json.loads(base64.b64decode(token, validate=True))
            top, skip = min(top, int(content["MaxRows"])), int(content["RowsToSkip"])
        except (binascii.Error, ValueError, KeyError) as error:
            raise _bad_request("InvalidSkipToken", "The skip token is invalid.") from error
    return top, skip


def _skip_token(top: int, skip: int) -> str:
    content = {"$id": "1", "MaxRows": top, "RowsToSkip": skip}
    return base64.b64encode(json.dumps(content).encode()).decode()


def _bad_request(code: str, message: str) -> RefusalError:
    invalid = (
        "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the "
        "error before retrying."
    )
    details = [{"code": "InvalidQuery", "message": invalid}, {"code": code, "message": message}]
    return _refusal(400, "BadRequest", details, {})


def _refusal(status: int, code: str, details: list[dict[str, str]], headers: dict[str, str]) -> RefusalError:
    stamp = datetime.now(UTC).isoformat()
    text = f"Please provide below info when asking for support: timestamp = {stamp}, correlationId = "
    error = {"code": code, "message": f"{text}{uuid.uuid4()}.", "details": details}
    return RefusalError(status, {"error": error}, headers)
