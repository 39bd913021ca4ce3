"""The project that Defender's identities live in, and how what is missing there is made again.

In mode `member` that is the management project, and `infra/gcp` makes them; in mode `standalone` each project, and its
owner does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.accounts import Account
from shared.domain.gcp_grants import ARC_ACCOUNT, MADE_BY, TOKEN_CREATOR, USER, Made
from shared.domain.gcp_identities import (
    AUDIENCE_OF,
    PROVIDER_OF,
    ServiceAccount,
    WorkloadProvider,
    email_of,
    issuer_of,
    needs_vm_manager,
    pool_id,
    service_accounts_of,
    services_of,
)
from shared.domain.policy import Mode, Policy
from shared.domain.profiles import Profile
from shared.domain.roles import RoleGroup

_POOLS = "gcloud iam workload-identity-pools"
_ACCOUNTS = "gcloud iam service-accounts"


@dataclass(frozen=True, kw_only=True)
class Home:
    """A project by number and id, and what has to be there.

    `shared`: members of an Organization connector use it. `arc`, `scans` and `audit_logs` are what any profile that
    uses it has.
    """

    number: str
    project_id: str
    organization: str
    tenant_id: str
    shared: bool
    accounts: tuple[ServiceAccount, ...]
    services: tuple[str, ...]
    arc: bool = False
    scans: bool = False
    audit_logs: bool = False

    @property
    def pool(self) -> str:
        """The id of Defender's pool."""
        return pool_id(self.tenant_id)

    @property
    def members(self) -> str:
        """How the names of the pool's members go on after their kind."""
        return f"//iam.googleapis.com/projects/{self.number}/locations/global/workloadIdentityPools/{self.pool}/"

    @property
    def providers(self) -> tuple[WorkloadProvider, ...]:
        """The providers that connectors name."""
        return tuple(sorted({PROVIDER_OF[account] for account in self.accounts}))

    @property
    def all_accounts(self) -> tuple[str, ...]:
        """Every service account that has to be there, by the part of its address before the `@`."""
        return (*self.accounts, *((ARC_ACCOUNT,) if self.arc else ()))

    def email(self, account: str) -> str:
        """A service account's address."""
        return email_of(account, self.project_id)


def home_of_members(policy: Policy) -> Home | None:
    """The management project, with all that any profile of the policy needs; None where projects have their own."""
    parent = policy.organization_connector
    if policy.mode is not Mode.MEMBER or parent is None:
        return None
    return _home(
        parent.management_account,
        parent.management_id,
        policy,
        policy.used_profiles,
        [ServiceAccount.ONBOARDING],
        shared=True,
    )


def home_of(project: Account, profile: Profile, policy: Policy) -> Home:
    """The project itself."""
    return _home(project.account_id, project.name, policy, (profile,), (), shared=False)


def _home(  # noqa: PLR0913 - which project, and what uses it
    number: str,
    project_id: str,
    policy: Policy,
    profiles: Iterable[Profile],
    besides: Iterable[ServiceAccount],
    *,
    shared: bool,
) -> Home:
    used = tuple(profiles)
    return Home(
        number=number,
        project_id=project_id,
        organization=policy.organization,
        tenant_id=policy.tenant_id,
        shared=shared,
        accounts=tuple(sorted({*besides, *(each for profile in used for each in service_accounts_of(profile))})),
        services=tuple(sorted({each for profile in used for each in services_of(profile)})),
        arc=any(needs_vm_manager(each) for each in used),
        scans=any(scans(each) for each in used),
        audit_logs=any(each.containers is not None and each.containers.audit_logs for each in used),
    )


def scans(profile: Profile) -> bool:
    """Whether Defender scans disks without an agent."""
    return RoleGroup.AGENTLESS_SCANNER in profile.role_groups()


def enable(project_id: str, services: Iterable[str]) -> str:
    """How services are enabled."""
    return f"Run `gcloud services enable {' '.join(services)} --project={project_id}`."


def apply(made: Made | None = None) -> str:
    """How `infra/gcp` makes something."""
    if made is None or not made.variable:
        return "Run `terraform apply` in infra/gcp."
    return f"Run `terraform apply` in infra/gcp with `{made.value}` in the variable `{made.variable}`."


def pool_remedy(home: Home, *, there: bool, deleted: bool) -> str:
    """For a pool that is missing, deleted or disabled."""
    where = f"{home.pool} --location=global --project={home.project_id}"
    if deleted:
        undelete = f"Run `{_POOLS} undelete {where}`"
        return f"{undelete}, then `terraform apply` in infra/gcp." if home.shared else f"{undelete}."
    if there:
        return f"Run `{_POOLS} update {where} --no-disabled`."
    return apply() if home.shared else f"Run `{_POOLS} create {where}`."


def provider_remedy(home: Home, provider: WorkloadProvider, *, there: bool, deleted: bool, disabled: bool) -> str:
    """For a provider that is missing, deleted, disabled, or has another issuer or audience."""
    where = f"{provider} --workload-identity-pool={home.pool} --location=global --project={home.project_id}"
    if deleted:
        undelete = f"Run `{_POOLS} providers undelete {where}`"
        return f"{undelete}, then `terraform apply` in infra/gcp." if home.shared else f"{undelete}."
    if disabled:
        return f"Run `{_POOLS} providers update-oidc {where} --no-disabled`."
    if home.shared:
        return apply(_made_by_provider(home, provider))
    issuer, audience = issuer_of(provider, home.tenant_id), AUDIENCE_OF[provider]
    said = f"{where} --issuer-uri={issuer} --allowed-audiences={audience}"
    if there:
        return f"Run `{_POOLS} providers update-oidc {said}`."
    return f"Run `{_POOLS} providers create-oidc {said} --attribute-mapping=google.subject=assertion.sub`."


def account_remedy(home: Home, account: str, *, there: bool) -> str:
    """For a service account that is missing or disabled."""
    if there:
        return f"Run `{_ACCOUNTS} enable {home.email(account)}`."
    if home.shared:
        return apply(MADE_BY[account])
    return f"Run `{_ACCOUNTS} create {account} --project={home.project_id}`."


def binding_remedy(home: Home, account: str) -> str:
    """For an account that does not let the pool in."""
    if home.shared:
        return apply()
    return _bind(home.email(account), USER, f"principalSet:{home.members}*")


def token_creator_remedy(home: Home, creator: str) -> str:
    """For an account that may not mint Arc's tokens."""
    if home.shared:
        return apply(MADE_BY[ARC_ACCOUNT])
    return _bind(home.email(ARC_ACCOUNT), TOKEN_CREATOR, f"serviceAccount:{home.email(creator)}")


def _bind(email: str, role: str, member: str) -> str:
    return f"Run `{_ACCOUNTS} add-iam-policy-binding {email} --role={role} --member='{member}'`."


def _made_by_provider(home: Home, provider: WorkloadProvider) -> Made:
    return MADE_BY[next(each for each in home.accounts if PROVIDER_OF[each] is provider)]
