"""What `doctor` works with: nothing that was kept from before, so that each answer is of this moment."""

from __future__ import annotations

from functions import bootstrap, sweep_bootstrap
from shared.adapters.aws.account_identity import IamIdentities
from shared.adapters.aws.hub_views import HubAccountListing, HubEntrance, HubStackInstances
from shared.adapters.azure.caller import object_id_of
from shared.adapters.azure.foundations import ArmFoundations
from shared.adapters.azure.storage_account import StorageAccount
from shared.adapters.clock import SystemClock
from shared.adapters.defender.subscriptions import ArmSubscriptions
from shared.adapters.gcp.access import GoogleAccess
from shared.application.doctor.azure import LookAtAzure
from shared.application.doctor.azure_ports import AzureSide, HubSide
from shared.application.doctor.examine import Question
from shared.application.doctor.google import access_question
from shared.application.doctor.hub import LookThroughHub
from shared.domain.doctor import azure_checks as checks
from shared.errors import ConfigurationError

IDENTITY = "the Function App's managed identity"


def questions() -> list[Question]:
    """Everything that the Function App can say of itself. Raises ConfigurationError where a setting is missing."""
    policy = bootstrap.fresh_policy()
    google = GoogleAccess(bootstrap.credential(), bootstrap.settings().gcp, policy, SystemClock())
    return [
        *LookAtAzure(_azure_side()).questions(IDENTITY),
        *_through_hub(),
        access_question(google, policy, IDENTITY),
    ]


def _azure_side() -> AzureSide:
    chosen, credential = bootstrap.settings(), bootstrap.credential()
    policy = [chosen.policy.rpartition("/")[0]] if chosen.policy.startswith("https://") else []
    sweeps = [chosen.sweep.container] if chosen.sweep is not None else []
    return AzureSide(
        foundations=ArmFoundations(credential, arm_endpoint=chosen.arm_endpoint),
        rights=ArmSubscriptions(credential, arm_endpoint=chosen.arm_endpoint, clock=SystemClock()),
        storage=StorageAccount(
            credential,
            queue_endpoint=chosen.queue.queueserviceuri,
            table_endpoint=chosen.ledger.tableserviceuri,
            container_urls=[*policy, *sweeps],
        ),
        policy=bootstrap.fresh_policy(),
        object_id=lambda: object_id_of(credential),
    )


def _through_hub() -> list[Question]:
    """About the hub; that no setting names it is told as any other thing that is wrong."""
    chosen, clock = bootstrap.settings(), SystemClock()
    try:
        hub = sweep_bootstrap.fresh_hub()
    except ConfigurationError as error:
        told = checks.HUB.wrong(error.reason, remedy=error.remedy)
        unknown = [each.unknown("no hub is named") for each in (checks.READERS, checks.SENTINEL_FIRST)]
        every = (checks.HUB, checks.READERS, checks.SENTINEL_FIRST)
        return [Question(checks=every, ask=lambda: [told, *unknown], checked_as=IDENTITY)]
    side = HubSide(
        hub=HubEntrance(hub),
        listing=HubAccountListing(hub, clock),
        identities=IamIdentities(lambda account_id: hub.client("iam", account_id=account_id)),
        instances=HubStackInstances(hub, name=chosen.stack_set_name, region=sweep_bootstrap.REGION),
        policy=bootstrap.fresh_policy(),
        role_arn=chosen.hub.role_arn if chosen.hub is not None else "",
    )
    return LookThroughHub(side).questions(IDENTITY)
