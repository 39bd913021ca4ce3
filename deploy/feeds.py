"""Which output feeds which input. The table of docs/deploy.md and the templates are held to this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.outputs import Step
from deploy.refusal import RefusedError
from deploy.settings import FILE, Settings


class Place(StrEnum):
    """What takes inputs."""

    MAIN = "infra/azure/main.bicep"
    TENANT_READER = "infra/azure/tenant-reader.bicep"
    BUCKET = "infra/aws/bucket.yaml"
    TEMPLATE = "infra/aws/template.yaml"
    HUB = "infra/aws/reader-hub.yaml"
    GOOGLE = "infra/gcp"
    PACKAGE = "build/FunctionApp.zip"
    SHELL = ".deploy/operator.env"


@dataclass(frozen=True)
class Feed:
    """An output of a step that a place takes under another name."""

    step: Step
    output: str
    place: Place
    input: str


FEEDS: tuple[Feed, ...] = (
    Feed(Step.FEDERATION, "IssuerIdentifier", Place.MAIN, "awsIssuer"),
    Feed(Step.AZURE, "functionsPrincipalId", Place.TENANT_READER, "functionsPrincipalId"),
    Feed(Step.AZURE, "functionAppName", Place.PACKAGE, "--name"),
    Feed(Step.AZURE, "tenantId", Place.TEMPLATE, "TenantId"),
    Feed(Step.AZURE, "senderClientId", Place.TEMPLATE, "ClientId"),
    Feed(Step.AZURE, "queueServiceUri", Place.TEMPLATE, "QueueServiceUri"),
    Feed(Step.AZURE, "tenantId", Place.HUB, "TenantId"),
    Feed(Step.AZURE, "functionsPrincipalId", Place.HUB, "IdentityObjectId"),
    Feed(Step.AZURE, "tenantId", Place.GOOGLE, "tenant_id"),
    Feed(Step.AZURE, "functionsPrincipalId", Place.GOOGLE, "function_identity_object_id"),
    Feed(Step.AZURE, "pushEndpoint", Place.GOOGLE, "push_endpoint"),
    Feed(Step.AZURE, "queueServiceUri", Place.SHELL, "ROLLCALL_QUEUE__QUEUESERVICEURI"),
    Feed(Step.AZURE, "tableServiceUri", Place.SHELL, "ROLLCALL_LEDGER__TABLESERVICEURI"),
    Feed(Step.AZURE, "sweepsContainer", Place.SHELL, "ROLLCALL_SWEEP__CONTAINER"),
    Feed(Step.AZURE, "policyUri", Place.SHELL, "ROLLCALL_POLICY"),
    Feed(Step.AZURE, "policyUri", Place.SHELL, "ROLLCALL_PUBLISH__BLOB"),
)
SAME: tuple[tuple[tuple[Place, str], ...], ...] = (
    ((Place.MAIN, "awsAudience"), (Place.HUB, "Audience")),
    ((Place.MAIN, "readerRole"), (Place.HUB, "ReaderRoleName")),
    ((Place.MAIN, "stackSetName"), (Place.TEMPLATE, "StackSetName"), (Place.HUB, "StackSetName")),
    ((Place.MAIN, "gcpTokenResource"), (Place.GOOGLE, "token_resource")),
    ((Place.MAIN, "gcpPushAudience"), (Place.GOOGLE, "push_audience")),
)
"""One thing under several names, each with the same default: what is said of one in `deploy.toml` goes for all."""


def fed(place: Place, step: Step, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs that a place gets from the outputs of a step. Raises RefusedError where one is not there."""
    feeds = [each for each in FEEDS if each.place is place and each.step is step]
    for each in feeds:
        if not outputs.get(each.output):
            raise RefusedError(
                f"the step {step} gave no {each.output}",
                remedy=f"Run `make deploy-{step} APPLY=1` of this version first.",
            )
    return {each.input: outputs[each.output] for each in feeds}


def given(settings: Settings) -> dict[Place, dict[str, Any]]:
    """What `deploy.toml` says of each place, words that mean the same brought to all. Raises RefusedError."""
    azure, aws, gcp = settings.azure, settings.aws, settings.gcp
    said: dict[Place, dict[str, Any]] = {
        Place.MAIN: dict(azure.parameters) if azure else {},
        Place.TEMPLATE: dict(aws.parameters) if aws else {},
        Place.HUB: dict(aws.hub) if aws else {},
        Place.GOOGLE: dict(gcp.variables) if gcp else {},
    }
    for names in SAME:
        values = {place: said[place][name] for place, name in names if name in said[place]}
        if len(set(map(str, values.values()))) > 1:
            words = ", ".join(f"{name} of {place}" for place, name in names)
            raise RefusedError(f"{FILE} says different things of {words}", remedy="They mean the same: say it once.")
        for value in list(values.values())[:1]:
            for place, name in names:
                said[place][name] = value
    return said


def combined(place: Place, computed: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """All inputs of a place. Raises RefusedError where `deploy.toml` says what is worked out."""
    if twice := sorted(set(computed) & set(said)):
        raise RefusedError(
            f"{FILE} says {twice[0]} of {place}, which follows from other settings or steps", remedy="Take it out."
        )
    return {**computed, **said}
