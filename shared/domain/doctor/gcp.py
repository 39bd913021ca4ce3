"""The intake of Google's events, and findings about Defender's identities there: what the facts come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.doctor import gcp_checks as checks
from shared.domain.doctor.verdicts import Verdict
from shared.domain.sweep.findings import SweepFinding

SINK_NAME = "rollcall-project-events"
TOPIC_NAME = "rollcall-project-events"
SUBSCRIPTION_NAME = "rollcall-push"
"""Those of infra/gcp/intake.tf."""
METHODS = ("CreateProject", "UndeleteProject", "MoveProject", "DeleteProject")
PUSH_PATH = "/api/gcp/project-events"


@dataclass(frozen=True, kw_only=True)
class SinkSeen:
    """A log sink of the organization."""

    destination: str
    filter: str
    include_children: bool
    disabled: bool


@dataclass(frozen=True, kw_only=True)
class PushSeen:
    """A subscription of Pub/Sub; `endpoint` is empty where it does not push."""

    topic: str
    endpoint: str
    audience: str
    service_account: str
    state: str = "ACTIVE"
    dead_letter_topic: str = ""


@dataclass(frozen=True, kw_only=True)
class PushWanted:
    """What the Function App expects of pushes; empty where this shell's settings do not say."""

    audience: str = ""
    service_account: str = ""
    url: str = ""


def sink_verdict(organization: str, project_id: str, seen: SinkSeen | None) -> Verdict:
    """Whether entries about projects come to our topic."""
    check, subject = checks.SINK, f"organizations/{organization}/sinks/{SINK_NAME}"
    if seen is None:
        return check.wrong("it is not there", subject=subject)
    wrong = []
    if seen.disabled:
        command = f"gcloud logging sinks update {SINK_NAME} --organization={organization} --no-disabled"
        return check.wrong("it is disabled", subject=subject, command=command)
    if not seen.include_children:
        wrong.append("it leaves out projects below the organization")
    lacking = [each for each in METHODS if each not in seen.filter]
    if lacking:
        wrong.append(f"its filter does not let {', '.join(lacking)} through")
    if "operation.last" in seen.filter or "operation.first" in seen.filter:
        wrong.append("its filter asks for an operation, which entries of v1 do not have")
    topic = f"pubsub.googleapis.com/projects/{project_id}/topics/{TOPIC_NAME}"
    if seen.destination != topic:
        wrong.append(f"it sends to {seen.destination}")
    if wrong:
        return check.wrong("; ".join(wrong), subject=subject)
    return check.ok("it sends what happens to projects to our topic", subject=subject)


def push_verdict(project_id: str, seen: PushSeen | None, wanted: PushWanted) -> Verdict:
    """Whether the function takes what is pushed."""
    check, subject = checks.PUSH, f"projects/{project_id}/subscriptions/{SUBSCRIPTION_NAME}"
    if seen is None:
        return check.wrong("it is not there", subject=subject)
    wrong = []
    if seen.state != "ACTIVE":
        wrong.append(f"it is {seen.state}")
    if seen.topic != f"projects/{project_id}/topics/{TOPIC_NAME}":
        wrong.append(f"its topic is {seen.topic}")
    if not seen.endpoint.endswith(PUSH_PATH):
        wrong.append(f"it pushes to {seen.endpoint or 'nobody'}, not to {PUSH_PATH} of the Function App")
    elif wanted.url and not seen.endpoint.startswith(wanted.url.rstrip("/") + "/"):
        wrong.append(f"it pushes to {seen.endpoint}, the Function App is {wanted.url}")
    if not seen.audience or not seen.service_account:
        wrong.append("it pushes without a token")
    if wanted.audience and seen.audience != wanted.audience:
        wrong.append(f"its audience is {seen.audience or 'empty'}, the function expects {wanted.audience}")
    if wanted.service_account and seen.service_account != wanted.service_account:
        wrong.append(f"it pushes as {seen.service_account}, the function expects {wanted.service_account}")
    if not seen.dead_letter_topic:
        wrong.append("what is refused for days goes nowhere: it has no dead-letter topic")
    if wrong:
        return check.wrong("; ".join(wrong), subject=subject)
    evidence = {"audience": seen.audience, "service_account": seen.service_account, "endpoint": seen.endpoint}
    return check.ok("it pushes to the Function App with a token", subject=subject, evidence=evidence)


def identity_verdicts(project_id: str, findings: Iterable[SweepFinding], untold: Iterable[str]) -> list[Verdict]:
    """The sweep's own findings about the management project, and what could not be looked at."""
    check = checks.IDENTITIES
    found = [check.wrong(each.reason, subject=each.subject, remedy=each.remedy) for each in findings]
    found += [check.unknown(reason, subject=project_id) for reason in untold]
    return found or [check.ok("pool, providers, accounts, roles and services are there", subject=project_id)]
