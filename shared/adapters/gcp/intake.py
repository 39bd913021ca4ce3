"""The organization's log sink and the push subscription of infra/gcp/intake.tf, looked at.

Source: Cloud Logging API v2, `organizations.sinks.get`; Cloud Pub/Sub API v1, `projects.subscriptions.get`.
"""

from __future__ import annotations

from urllib.parse import quote

from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.errors import reads_google
from shared.domain.doctor.gcp import SINK_NAME, SUBSCRIPTION_NAME, PushSeen, SinkSeen


class GcpIntake:
    """Reads only."""

    def __init__(self, client: GoogleClient) -> None:
        """Asks as whoever the client is."""
        self._client = client

    @reads_google
    def find_sink(self, organization: str) -> SinkSeen | None:
        """Needs logging.sinks.get on the organization."""
        path = f"/v2/organizations/{organization}/sinks/{SINK_NAME}"
        found = self._client.find("logging", path, f"read log sink {SINK_NAME}")
        if found is None:
            return None
        return SinkSeen(
            destination=str(found.get("destination", "")),
            filter=str(found.get("filter", "")),
            include_children=found.get("includeChildren") is True,
            disabled=found.get("disabled") is True,
        )

    @reads_google
    def find_subscription(self, project_id: str) -> PushSeen | None:
        """Needs pubsub.subscriptions.get in the project."""
        path = f"/v1/projects/{quote(project_id, safe='')}/subscriptions/{SUBSCRIPTION_NAME}"
        found = self._client.find("pubsub", path, f"read subscription {SUBSCRIPTION_NAME}")
        if found is None:
            return None
        push = found.get("pushConfig") or {}
        token = push.get("oidcToken") or {}
        return PushSeen(
            topic=str(found.get("topic", "")),
            endpoint=str(push.get("pushEndpoint", "")),
            audience=str(token.get("audience", "")),
            service_account=str(token.get("serviceAccountEmail", "")),
            state=str(found.get("state", "ACTIVE")),
            dead_letter_topic=str((found.get("deadLetterPolicy") or {}).get("deadLetterTopic", "")),
        )
