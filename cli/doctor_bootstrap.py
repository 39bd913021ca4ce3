"""What `rollcall doctor` asks: each side by whoever may answer for it. See `bootstrap`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from cli import bootstrap, doctor_aws_bootstrap, queue_bootstrap
from cli.doctor_aws_bootstrap import deployed_scan_role
from shared.adapters.clock import SystemClock
from shared.application.doctor.advice import AdvicePorts, advice_questions
from shared.application.doctor.azure import LookAtAzure, azure_menders, workspace_question
from shared.application.doctor.azure_ports import AzureSide
from shared.application.doctor.examine import Question
from shared.application.doctor.google import Intake, intake_question
from shared.application.doctor.mend import Menders
from shared.application.ports import PolicyDestination
from shared.domain.doctor import azure_checks, gcp_checks
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.doctor.gcp import PushSeen, PushWanted, SinkSeen
from shared.domain.doctor.policy_checks import Places
from shared.domain.doctor.verdicts import Side, Verdict, failed
from shared.domain.policy import Policy
from shared.errors import RollcallError

if TYPE_CHECKING:
    from shared.adapters.azure.foundations import ArmFoundations
    from shared.adapters.azure.storage_account import StorageAccount
    from shared.adapters.policy.source import CachedPolicySource
    from shared.adapters.report.remote import RemoteReport

_REMOTE_SECONDS, _INVOKED_SECONDS = 235.0, 75.0
OF_THE_FUNCTION_APP = (
    azure_checks.FUNCTION_APP,
    *azure_checks.OF_THE_FUNCTION_APP,
    azure_checks.HUB,
    azure_checks.READERS,
    azure_checks.SENTINEL_FIRST,
    gcp_checks.ACCESS,
    gcp_checks.IDENTITIES,
)
_ONLY_THERE = (azure_checks.HUB, azure_checks.READERS, azure_checks.SENTINEL_FIRST, gcp_checks.ACCESS)


class _Policies:
    """The policy of the setting, opened when it is first asked for."""

    def current(self) -> Policy:
        """Raises TransientError, ConfigurationError."""
        return _source().current()


@cache
def _source() -> CachedPolicySource:
    return bootstrap.policy_source(None)


_POLICIES = _Policies()


def questions(keys: Collection[str]) -> list[Question]:
    """Those that tell about these checks; whoever is asked for none of them is not troubled."""
    sides = {CHECKS[key].side for key in keys}
    found: list[Question] = []
    if sides & {Side.AWS, Side.LAMBDA}:
        found += doctor_aws_bootstrap.questions(_POLICIES)
    if sides & {Side.AZURE, Side.GCP}:
        found += [*_of_the_function_app(keys), *_of_azure_and_google()]
    if Side.POLICY in sides:
        found += advice_questions(_advice_ports(), _azure_identity())
    return [each for each in found if each.about(keys)]


def menders() -> Menders:
    """What `--fix` does, as the operator."""
    return {
        **doctor_aws_bootstrap.side(_POLICIES).menders(),
        **azure_menders(_foundations(), lambda name: _storage().make_queue(name)),
    }


# Azure and Google


@cache
def _azure_identity() -> str:
    from shared.adapters.azure.caller import caller_of

    try:
        return caller_of(bootstrap.credential())
    except RollcallError:
        return "your sign-in to Azure"


def _of_the_function_app(keys: Collection[str]) -> list[Question]:
    """What the Function App says of itself, where one is named; else what you may see, and what only it could say."""
    remote = queue_bootstrap.remote_report("")
    if remote is None:
        return _in_its_place()
    ask = partial(_asked, remote, [each.key for each in OF_THE_FUNCTION_APP if each.key in keys])
    return [Question(checks=OF_THE_FUNCTION_APP, ask=ask, checked_as=_azure_identity(), seconds=_REMOTE_SECONDS)]


def _asked(remote: RemoteReport, keys: Sequence[str]) -> Iterator[Verdict]:
    from shared.messages.doctor_findings import read_findings

    app = azure_checks.FUNCTION_APP
    try:
        told = list(read_findings(remote.findings(keys), CHECKS))
    except RollcallError as error:
        yield failed(app, error)
    except ValueError as error:
        yield app.unknown(f"its answer cannot be read: {error}", remedy="Use the command line of its own version.")
    else:
        yield app.ok("it says of itself what follows")
        yield from told
        return
    own = "Unset ROLLCALL_REPORT__URL to look with your own rights."
    yield from (each.unknown("the Function App was not asked", remedy=own) for each in OF_THE_FUNCTION_APP[1:])


def _in_its_place() -> list[Question]:
    """By your own rights: what its identity may do stays open."""
    why = "only the Function App can say that of itself, and ROLLCALL_REPORT__URL names none"
    open_ = (*_ONLY_THERE, gcp_checks.IDENTITIES)
    told = [azure_checks.FUNCTION_APP.unknown(why, remedy=azure_checks.FUNCTION_APP.remedy)]
    told += [each.unknown(why) for each in open_]
    side = AzureSide(
        foundations=_foundations(),
        rights=bootstrap.subscriptions(),
        storage=_LateStorage(),
        policy=_POLICIES,
        object_id=_own_object_id,
        is_stand_in=True,
    )
    return [
        *LookAtAzure(side).questions(_azure_identity()),
        Question(checks=(azure_checks.FUNCTION_APP, *open_), ask=lambda: told, checked_as=_azure_identity()),
    ]


def _own_object_id() -> str:
    from shared.adapters.azure.caller import object_id_of

    return object_id_of(bootstrap.credential())


@cache
def _foundations() -> ArmFoundations:
    from shared.adapters.azure.foundations import ArmFoundations

    return ArmFoundations(bootstrap.credential(), arm_endpoint=bootstrap.settings().arm_endpoint)


@cache
def _storage() -> StorageAccount:
    from shared.adapters.azure.storage_account import StorageAccount

    chosen = bootstrap.settings()
    if chosen.queue is None:
        raise bootstrap.missing("ROLLCALL_QUEUE__QUEUESERVICEURI")
    if chosen.ledger is None:
        raise bootstrap.missing("ROLLCALL_LEDGER__TABLESERVICEURI")
    policy = [chosen.publish.blob.rpartition("/")[0]] if chosen.publish.blob else []
    sweeps = [chosen.sweep.container] if chosen.sweep is not None else []
    return StorageAccount(
        bootstrap.credential(),
        queue_endpoint=chosen.queue.queueserviceuri,
        table_endpoint=chosen.ledger.tableserviceuri,
        container_urls=[*policy, *sweeps],
    )


class _LateStorage:
    """The storage account, opened when it is asked: without its settings only these checks cannot be told."""

    @property
    def account(self) -> str:
        """Its name."""
        return _storage().account

    def queues(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Which are there."""
        return _storage().queues(names)

    def tables(self, names: Sequence[str]) -> Mapping[str, bool]:
        """Which are there."""
        return _storage().tables(names)

    def containers(self) -> Mapping[str, bool]:
        """Which are there."""
        return _storage().containers()

    def make_queue(self, name: str) -> None:
        """Makes a queue."""
        _storage().make_queue(name)


def _of_azure_and_google() -> list[Question]:
    chosen = bootstrap.settings()
    wanted = PushWanted(
        audience=chosen.gcp.push_audience, service_account=chosen.gcp.push_service_account, url=chosen.report.url
    )
    google = "your Google credentials"
    return [
        workspace_question(_foundations(), chosen.workspace, _azure_identity()),
        intake_question(_LateIntake(), _POLICIES, wanted, google),
    ]


class _LateIntake:
    """Google, asked with your credentials when it comes to it."""

    def find_sink(self, organization: str) -> SinkSeen | None:
        """The sink."""
        return _intake().find_sink(organization)

    def find_subscription(self, project_id: str) -> PushSeen | None:
        """The subscription."""
        return _intake().find_subscription(project_id)


@cache
def _intake() -> Intake:
    from shared.adapters.gcp.client import GoogleClient
    from shared.adapters.gcp.credentials import operators_session
    from shared.adapters.gcp.intake import GcpIntake

    return GcpIntake(GoogleClient(operators_session(), SystemClock(), endpoint=bootstrap.settings().gcp.endpoint))


# Both clouds


def _advice_ports() -> AdvicePorts:
    chosen = bootstrap.settings()
    published: list[PolicyDestination] = [
        bootstrap.policy_destination(each) for each in (chosen.publish.s3, chosen.publish.blob) if each
    ]
    places = Places(
        queues=chosen.queue.queueserviceuri if chosen.queue else "",
        tables=chosen.ledger.tableserviceuri if chosen.ledger else "",
        blobs=chosen.publish.blob or "",
    )
    return AdvicePorts(
        policy=_POLICIES,
        snapshot=bootstrap.snapshot(),
        published=published,
        scan_role=lambda: deployed_scan_role(_POLICIES.current()),
        places=places,
    )
