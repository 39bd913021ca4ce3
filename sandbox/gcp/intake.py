"""The organization's log sink and the push subscription, as Cloud Logging and Pub/Sub describe them; read only.

What is pushed and filtered is `audit` and `pubsub`; these documents are what `infra/gcp/intake.tf` would have made.
Source: the APIs' discovery documents, LogSink and Subscription.
"""

from __future__ import annotations

from typing import Any

from sandbox.gcp.answers import refusal
from sandbox.gcp.pubsub import PushSettings
from sandbox.gcp.routing import Call, Route

SINK = "rollcall-project-events"
SUBSCRIPTION = "rollcall-push"
FILTER = (
    'logName:"cloudaudit.googleapis.com%2Factivity" AND '
    'protoPayload.serviceName="cloudresourcemanager.googleapis.com" AND '
    r'protoPayload.methodName=~"(^|\.)(CreateProject|UndeleteProject|MoveProject|DeleteProject)$"'
)


class Intake:
    """Sinks and subscriptions by their full names."""

    def __init__(self) -> None:
        self.sinks: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        """Every operation."""
        return [
            Route(
                id="logging.organizations.sinks.get",
                method="GET",
                path=r"/v2/(?P<name>organizations/[0-9]+)/sinks/(?P<sink>[^/:]+)",
                handler=self._sink,
                permission="logging.sinks.get",
                resource="{name}",
            ),
            Route(
                id="pubsub.projects.subscriptions.get",
                method="GET",
                path=r"/v1/projects/(?P<project>[^/:]+)/subscriptions/(?P<subscription>[^/:]+)",
                handler=self._subscription,
                permission="pubsub.subscriptions.get",
                resource="projects/{project}",
            ),
        ]

    def deploy(self, organization: str, project_id: str, number: str, settings: PushSettings) -> None:
        """Makes both, as Terraform does."""
        topic = f"projects/{project_id}/topics"
        self.sinks[f"organizations/{organization}/sinks/{SINK}"] = {
            "name": SINK,
            "destination": f"pubsub.googleapis.com/{topic}/{SINK}",
            "filter": FILTER,
            "includeChildren": True,
            "writerIdentity": f"serviceAccount:service-org-{organization}@gcp-sa-logging.iam.gserviceaccount.com",
        }
        self.subscriptions[f"projects/{number}/subscriptions/{SUBSCRIPTION}"] = {
            "name": f"projects/{project_id}/subscriptions/{SUBSCRIPTION}",
            "topic": f"{topic}/{SINK}",
            "pushConfig": {
                "pushEndpoint": settings.url,
                "oidcToken": {"serviceAccountEmail": settings.service_account, "audience": settings.audience},
            },
            "ackDeadlineSeconds": 60,
            "messageRetentionDuration": "604800s",
            "deadLetterPolicy": {
                "deadLetterTopic": f"{topic}/rollcall-dead-letter",
                "maxDeliveryAttempts": settings.most_deliveries,
            },
            "state": "ACTIVE",
        }

    def _sink(self, call: Call) -> Any:
        return _found(self.sinks, f"{call.parts['name']}/sinks/{call.parts['sink']}")

    def _subscription(self, call: Call) -> Any:
        name = f"projects/{call.parts['project']}/subscriptions/{call.parts['subscription']}"
        return _found(self.subscriptions, name)


def _found(documents: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if name not in documents:
        raise refusal(404, f"Resource not found (resource={name.rpartition('/')[2]}).")
    return documents[name]
