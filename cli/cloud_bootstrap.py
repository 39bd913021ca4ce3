"""What commands about accounts and projects work with, in the cloud that is meant. See `bootstrap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import bootstrap
from cli.output import RefusedError
from shared.adapters.clock import SystemClock
from shared.application.provider_policy import policy_for
from shared.domain.accounts import Provider
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_iam.client import IAMClient

    from shared.adapters.aws.account_roles import TemporaryKeys
    from shared.adapters.aws.own_organization import AwsOwnOrganization
    from shared.adapters.gcp.projects import GcpProjects
    from shared.application.backfill_projects import BackfillPorts
    from shared.application.offboard import OffboardPorts, RolePorts
    from shared.application.plan import PlanPorts
    from shared.application.ports import AccountDirectory, AccountListing, PolicySource


def projects(policies: PolicySource) -> GcpProjects:
    """The projects of the policy's organization, as the Google credentials of this shell may see them.

    Raises ConfigurationError where the policy says nothing of projects, or this shell has no credentials.
    """
    from shared.adapters.gcp.client import GoogleClient
    from shared.adapters.gcp.credentials import operators_session
    from shared.adapters.gcp.projects import GcpProjects

    clock, organization = SystemClock(), policy_for(policies.current(), Provider.GCP).organization
    client = GoogleClient(operators_session(), clock, endpoint=bootstrap.settings().gcp.endpoint)
    return GcpProjects(client, organization, clock)


def refuse_elsewhere(project: str, policies: PolicySource) -> None:
    """Raises RefusedError where a project that was not found may be seen, but not in the policy's organization."""
    if projects(policies).is_elsewhere(project):
        organization = policy_for(policies.current(), Provider.GCP).organization
        raise RefusedError(
            f"project {project} is not in the organization of the policy, {organization}",
            remedy=f"see where with `gcloud projects get-ancestors {project}`, and whether you may see these folders",
        )


def backfill_ports() -> BackfillPorts:
    """What asking for projects works with. Raises ConfigurationError as `projects` does."""
    from shared.application.backfill_projects import BackfillPorts

    policies = bootstrap.policy_source(None)
    sender = bootstrap.request_sender()
    return BackfillPorts(projects=projects(policies), sender=sender, policy=policies, clock=SystemClock())


def directory(provider: Provider, policies: PolicySource) -> AccountDirectory:
    """The accounts or projects of the organization, one by one. Raises ConfigurationError as `projects` does."""
    from shared.application.project_views import ProjectDirectory

    return bootstrap.account_directory() if provider is Provider.AWS else ProjectDirectory(projects(policies))


def plan_ports(policy: str | None, provider: Provider | None, clouds: Sequence[Provider]) -> list[PlanPorts]:
    """What `rollcall plan` reads from, for each of `clouds` of which the policy says something.

    `policy` as in `bootstrap.policy_source`. Raises ConfigurationError where a cloud of the policy cannot be looked
    into, or the only one that is asked about is none of the policy's: nothing is left out in silence.
    """
    from shared.application.plan import PlanPorts

    policies, snapshot = bootstrap.policy_source(policy), bootstrap.snapshot()
    said = policies.current()
    return [
        PlanPorts(
            policy=policies,
            listing=_listing(each, policies, alone=provider is not None or len(clouds) == 1),
            snapshot=snapshot,
            subscriptions=bootstrap.subscriptions(),
            ledger=bootstrap.ledger() if bootstrap.settings().ledger is not None else None,
            provider=each,
            own=_own_organization() if each is Provider.AWS else None,
        )
        for each in clouds
        if len(clouds) == 1 or said.of(each) is not None
    ]


def _own_organization() -> AwsOwnOrganization:
    import boto3

    from shared.adapters.aws.own_organization import AwsOwnOrganization

    return AwsOwnOrganization(
        boto3.client("organizations", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config())
    )


def _listing(provider: Provider, policies: PolicySource, *, alone: bool) -> AccountListing:
    import boto3

    from shared.adapters.aws.account_listing import AwsAccountListing
    from shared.application.project_views import ProjectListing

    if provider is Provider.AWS:
        organizations = boto3.client("organizations", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config())
        return AwsAccountListing(organizations, SystemClock())
    try:
        return ProjectListing(projects(policies))
    except ConfigurationError as error:
        if alone:
            raise
        remedy = f"{error.remedy} Or see the AWS accounts alone: --provider aws."
        raise ConfigurationError(error.reason, setting=error.setting, remedy=remedy) from error


def offboard_ports(provider: Provider) -> OffboardPorts:
    """What `rollcall offboard` works with. Raises ConfigurationError as `projects` does."""
    from shared.adapters.defender.surroundings import ArmSurroundings
    from shared.application.offboard import OffboardPorts

    policies = bootstrap.policy_source(None)
    return OffboardPorts(
        directory=directory(provider, policies),
        connectors=bootstrap.connectors(),
        snapshot=bootstrap.snapshot(),
        surroundings=ArmSurroundings(bootstrap.credential(), arm_endpoint=bootstrap.settings().arm_endpoint),
        sender=bootstrap.request_sender(),
        ledger=bootstrap.ledger(),
        policy=policies,
        clock=SystemClock(),
        aws=_role_ports() if provider is Provider.AWS else None,
    )


def _role_ports() -> RolePorts:
    import boto3

    from shared.adapters.aws.account_roles import MemberAccountRoles
    from shared.adapters.aws.stack_sets import CloudFormationStackSets
    from shared.application.offboard import RolePorts

    chosen = bootstrap.settings()
    organizations = boto3.client("organizations", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config())
    cloudformation = boto3.client("cloudformation", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config())
    sts = boto3.client("sts", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config())
    return RolePorts(
        stack_sets=CloudFormationStackSets(
            cloudformation, organizations, name=chosen.stack_set_name, region=bootstrap.BUS_REGION
        ),
        roles=MemberAccountRoles(sts, _iam_of, role_name=chosen.reader_role),
    )


def _iam_of(keys: TemporaryKeys) -> IAMClient:
    import boto3

    return boto3.client(
        "iam",
        config=bootstrap.aws_config(),
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
    )
