"""What Resource Manager and the Security provider answer when they refuse, in each one's own envelope.

Source: live answers published with the tests of Azure's own command-line tools and SDKs.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from werkzeug import Response

from sandbox.azure.exchange import json_response

_GATEWAY = {"x-ms-failure-cause": "gateway"}


class RefusalError(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body
        self.headers = headers or {}

    def response(self) -> Response:
        """The refusal as an HTTP answer."""
        return json_response(self.status, self.body, self.headers)


def gateway_refusal(
    status: int, code: str, message: str, *, target: str | None = None, headers: dict[str, str] | None = None
) -> RefusalError:
    """A refusal by Resource Manager itself; `target` repeats the error in `details`, as live answers do."""
    error: dict[str, Any] = {"code": code, "message": message}
    if target is not None:
        error["details"] = [{"code": code, "target": target, "message": message}]
    return RefusalError(status, {"error": error}, _GATEWAY | (headers or {}))


def connector_refusal(message: str) -> RefusalError:
    """A refusal by the Security provider after its look into the other cloud: a 400 in its own envelope.

    The prefix is misspelt by the service.
    """
    return RefusalError(
        400,
        {
            "statusCode": 400,
            "errorMessage": f"error occured for security connector: {message}",
            "errorCorrelation": str(uuid.uuid4()),
        },
    )


def forbidden(client: str, object_id: str, action: str, scope: str) -> RefusalError:
    """403 AuthorizationFailed."""
    return gateway_refusal(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{object_id}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. "
        "If access was recently granted, please refresh your credentials.",
    )


def not_found(resource_type: str, name: str, resource_group: str) -> RefusalError:
    """404 ResourceNotFound."""
    return gateway_refusal(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{resource_group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def resource_group_not_found(name: str) -> RefusalError:
    """404 ResourceGroupNotFound."""
    return gateway_refusal(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def subscription_not_found(subscription_id: str) -> RefusalError:
    """404 SubscriptionNotFound."""
    text = f"The subscription '{subscription_id}' could not be found."
    return gateway_refusal(404, "SubscriptionNotFound", text)


def parent_not_found(verb: str, kind: str, parent: str) -> RefusalError:
    """404 ParentResourceNotFound; `kind` is the parent's type and the child's, with a slash."""
    return gateway_refusal(
        404,
        "ParentResourceNotFound",
        f"Failed to perform '{verb}' on resource(s) of type '{kind}', because the parent resource '{parent}' could "
        "not be found.",
    )


def scope_locked(verb: str, scope: str, locked: list[str]) -> RefusalError:
    """409 ScopeLocked; `verb` is write or delete, `locked` the scopes that carry the locks."""
    named = ",".join(f"'{each}'" for each in locked)
    return gateway_refusal(
        409,
        "ScopeLocked",
        f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: {named}. "
        "Please remove the lock and try again.",
    )


def read_only_subscription(subscription_id: str) -> RefusalError:
    """409 ReadOnlyDisabledSubscription.

    Source: the code and its words as users of Microsoft's editor extensions report them; the status of other
    conflicts.
    """
    return gateway_refusal(
        409,
        "ReadOnlyDisabledSubscription",
        f"The subscription '{subscription_id}' is disabled and therefore marked as read only. You cannot perform any "
        "write actions on this subscription until it is re-enabled.",
    )


def bad_request(message: str, code: str = "BadRequest") -> RefusalError:
    """400 of the Security provider in Resource Manager's envelope."""
    return RefusalError(400, {"error": {"code": code, "message": message}})


def now_spelt() -> str:
    """The present time as the Security provider spells it: seven digits after the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def not_registered(namespace: str) -> RefusalError:
    """409 MissingSubscriptionRegistration."""
    text = (
        f"The subscription is not registered to use namespace '{namespace}'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions."
    )
    return gateway_refusal(409, "MissingSubscriptionRegistration", text, target=namespace)


def throttled(action: str, limit: int, interval: str, retry_after_seconds: int) -> RefusalError:
    """429 ResourceRequestsThrottled with Retry-After."""
    text = (
        f"Number of requests for action '{action}' exceeded the limit of '{limit}' for time interval "
        f"'{interval}'. Please try again after '{retry_after_seconds}' seconds."
    )
    headers = {"Retry-After": str(retry_after_seconds)}
    return gateway_refusal(429, "ResourceRequestsThrottled", text, headers=headers)
