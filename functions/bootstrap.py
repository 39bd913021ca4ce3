"""The composition root of the Function App: reads the settings once and builds the adapters, lazily."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from functions import telemetry
from functions.structured_log import send_fields

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from functions.settings import Settings
    from shared.adapters.policy.source import CachedPolicySource, PolicyStore
    from shared.adapters.queue.sweep_queue import StorageSliceQueue
    from shared.adapters.tokens.verifier import TokenVerifier
    from shared.application.onboard_ports import OnboardPorts
    from shared.application.replay_ports import ReplayPorts
    from shared.application.rewrap import RewrapPorts


@cache
def settings() -> Settings:
    """The settings. Raises ConfigurationError that names what is missing or wrong; then nothing is measured yet."""
    from functions.settings import Settings
    from shared.adapters.azure.credentials import make_credential
    from shared.adapters.settings import read_settings
    from shared.errors import ConfigurationError

    send_fields()
    chosen = read_settings(Settings)
    if chosen.monitor:
        try:
            telemetry.begin(chosen.monitor, make_credential(chosen.credential, client_id=chosen.client_id))
        except ValueError as error:
            raise ConfigurationError(str(error), setting="APPLICATIONINSIGHTS_CONNECTION_STRING") from error
    return chosen


@cache
def credential() -> TokenCredential:
    """Who the Function App is, as the setting `ROLLCALL_CREDENTIAL` says."""
    from shared.adapters.azure.credentials import make_credential

    return make_credential(settings().credential, client_id=settings().client_id)


@cache
def onboard_ports() -> OnboardPorts:
    """What `create_connector` works with."""
    from shared.adapters.clock import SystemClock
    from shared.adapters.defender.compliance import ArmCompliance
    from shared.adapters.defender.connectors import DefenderConnectors
    from shared.adapters.defender.subscriptions import ArmSubscriptions
    from shared.adapters.gcp.access import GoogleAccess
    from shared.adapters.ledger.pacing import TablePacer
    from shared.adapters.ledger.parked_bodies import TableParkedBodies
    from shared.adapters.ledger.removals import TableRemovals
    from shared.adapters.ledger.table_ledger import TableLedger
    from shared.adapters.queue.storage_queue import StorageRequestQueue
    from shared.adapters.resource_graph.snapshot import ResourceGraphSnapshot
    from shared.application.onboard_ports import OnboardPorts

    chosen, clock = settings(), SystemClock()
    tables = chosen.ledger.tableserviceuri
    return OnboardPorts(
        queue=StorageRequestQueue(credential(), queue_endpoint=chosen.queue.queueserviceuri, name=chosen.queue.name),
        bodies=TableParkedBodies(credential(), table_endpoint=tables),
        ledger=TableLedger(credential(), table_endpoint=tables),
        connectors=DefenderConnectors(credential(), arm_endpoint=chosen.arm_endpoint),
        snapshot=ResourceGraphSnapshot(credential(), arm_endpoint=chosen.arm_endpoint, clock=clock),
        subscriptions=ArmSubscriptions(credential(), arm_endpoint=chosen.arm_endpoint, clock=clock),
        compliance=ArmCompliance(credential(), arm_endpoint=chosen.arm_endpoint),
        pacer=TablePacer(credential(), table_endpoint=tables, rate=chosen.pacing.rate(), clock=clock),
        removals=TableRemovals(credential(), table_endpoint=tables),
        policy=_policy(),
        google=GoogleAccess(credential(), chosen.gcp, _policy(), clock),
        clock=clock,
        schedule=chosen.retry.schedule(),
        claim_seconds=chosen.retry.claim_seconds,
    )


@cache
def rewrap_ports() -> RewrapPorts:
    """What `rewrap_poison` works with."""
    from shared.adapters.ledger.sweep_log import TableSweepLog
    from shared.adapters.queue.poison_queue import StoragePoisonQueue
    from shared.application.rewrap import RewrapPorts

    chosen, ports = settings(), onboard_ports()
    poison = StoragePoisonQueue(
        credential(), queue_endpoint=chosen.queue.queueserviceuri, bodies=ports.bodies, name=chosen.queue.name
    )
    return RewrapPorts(
        poison=poison,
        queue=ports.queue,
        parking=ports.parking,
        ledger=ports.ledger,
        sweeps=TableSweepLog(credential(), table_endpoint=chosen.ledger.tableserviceuri),
        clock=ports.clock,
    )


@cache
def slice_queue() -> StorageSliceQueue:
    """The queue `sweep`."""
    from shared.adapters.queue.sweep_queue import StorageSliceQueue

    return StorageSliceQueue(credential(), queue_endpoint=settings().queue.queueserviceuri)


@cache
def operator_verifier() -> TokenVerifier | None:
    """Who is an operator; None where the settings do not say, so that nobody is."""
    from shared.adapters.clock import SystemClock
    from shared.adapters.tokens.signing_keys import SigningKeys, published_at
    from shared.adapters.tokens.verifier import TokenVerifier, keys_address, operators_of

    chosen = settings()
    if chosen.operators is None or chosen.tenant_id is None:
        return None
    profile = operators_of(chosen.tenant_id, chosen.operators.audience, chosen.authority_host)
    address = keys_address(chosen.tenant_id, chosen.authority_host)
    return TokenVerifier(profile, SigningKeys(published_at(address), SystemClock()))


@cache
def push_verifier() -> TokenVerifier | None:
    """Which push subscription is ours; None where the settings do not say, so that none is."""
    from shared.adapters.clock import SystemClock
    from shared.adapters.tokens.signing_keys import SigningKeys, published_at
    from shared.adapters.tokens.verifier import TokenVerifier, subscription_of

    gcp = settings().gcp
    if not gcp.push_audience or not gcp.push_service_account:
        return None
    profile = subscription_of(gcp.push_audience, gcp.push_service_account)
    return TokenVerifier(profile, SigningKeys(published_at(gcp.certs_url), SystemClock()))


def replay_ports(actor: str) -> ReplayPorts:
    """What `replay_queue` works with for one caller."""
    from shared.application.replay_ports import ReplayPorts

    ports = rewrap_ports()
    onboarding = onboard_ports()
    return ReplayPorts(
        queues=(ports.poison,),
        sender=onboarding.queue,
        ledger=onboarding.ledger,
        policy=onboarding.policy,
        clock=onboarding.clock,
        actor=actor,
        projects=onboarding.google.projects,
    )


@cache
def _policy() -> CachedPolicySource:
    return fresh_policy()


def fresh_policy() -> CachedPolicySource:
    """The policy, of which nothing was read yet."""
    from shared.adapters.clock import SystemClock
    from shared.adapters.policy.blob import BlobPolicyStore
    from shared.adapters.policy.source import CachedPolicySource, FilePolicyStore

    origin = settings().policy
    store: PolicyStore = (
        BlobPolicyStore(credential(), origin) if origin.startswith("https://") else FilePolicyStore(Path(origin))
    )
    return CachedPolicySource(store, origin=origin, clock=SystemClock())
