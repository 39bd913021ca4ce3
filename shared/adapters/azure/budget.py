"""How many changes Resource Manager will still take, as it says with each answer."""

from __future__ import annotations

import logging
import re
from typing import Any

from azure.core.pipeline.policies import SansIOHTTPPolicy

logger = logging.getLogger(__name__)

_CHANGES = frozenset({"PUT", "PATCH", "POST", "DELETE"})
_SUBSCRIPTION = re.compile(r"/subscriptions/([0-9a-fA-F-]{36})/")
_MOST_DIGITS = 10
_PREFIX = "x-ms-ratelimit-remaining-subscription-"


class BudgetPolicy(SansIOHTTPPolicy[Any, Any]):
    """One line for each change that is answered, and each counter: what the subscription has left.

    A counter is `writes`, `deletes`, or `resource-requests`, which providers with limits of their own count, the
    connectors' among them. Source: Microsoft Learn, "Understand how Azure Resource Manager throttles requests".
    """

    def on_response(self, request: Any, response: Any) -> None:
        """Nothing where Resource Manager does not say."""
        sent = request.http_request
        found = _SUBSCRIPTION.search(sent.url)
        if sent.method not in _CHANGES or found is None:
            return
        for header, value in response.http_response.headers.items():
            counter = header.lower().removeprefix(_PREFIX)
            if (
                counter != header.lower()
                and not counter.startswith("global-")
                and value.isascii()
                and value.isdigit()
                and len(value) < _MOST_DIGITS
            ):
                facts = {"subscription_id": found[1].lower(), "counter": counter, "left": int(value)}
                logger.info("resource_manager_budget", extra=facts)
