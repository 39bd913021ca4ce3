"""What keeps Defender out of GCP projects, told apart: what was seen, against what connectors name.

Source: Microsoft Defender for Cloud, "Connect your GCP project" and its pages about organization policies; IAM v1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.domain.accounts import Provider
from shared.domain.gcp_grants import (
    ARC_ACCOUNT,
    ARC_CREATORS,
    AUDIT_LOGS,
    MADE_BY,
    MICROSOFT,
    MICROSOFTS_DISKS,
    READ_ONLY_INSTEAD,
    ROLES_OF,
    SCANNER,
    Made,
    Outsider,
    role_name,
)
from shared.domain.gcp_identities import AUDIENCE_OF, WorkloadProvider, issuer_of
from shared.domain.sweep.findings import SweepFinding, SweepKind
from shared.domain.sweep.project_home import (
    Home,
    account_remedy,
    apply,
    binding_remedy,
    enable,
    pool_remedy,
    provider_remedy,
    token_creator_remedy,
)
from shared.domain.sweep.project_identity import (
    CustomRoleSeen,
    FederationProviderSeen,
    ListPolicySeen,
    PoolSeen,
    ServiceAccountSeen,
)
from shared.domain.sweep.project_kinds import (
    ACCOUNT_WRONG,
    BINDING_MISSING,
    CUSTOM_ROLE_WRONG,
    GRANT_MISSING,
    ISSUERS_RESTRICTED,
    PERIMETER_CLOSED,
    POOL_PROVIDER_WRONG,
    POOL_WRONG,
    SERVICES_OFF,
    SERVICES_RESTRICTED,
    SHARING_RESTRICTED,
    STORAGE_RESTRICTED,
    TOKEN_CREATOR_MISSING,
)

SHARING, ISSUERS = "iam.allowedPolicyMemberDomains", "iam.workloadIdentityPoolProviders"
STORAGE, SERVICE_USAGE = "compute.storageResourceUseRestrictions", "gcp.restrictServiceUsage"
RESTRICTABLE = frozenset(f"{name}.googleapis.com" for name in ("artifactregistry", "compute", "container", "pubsub"))
"""Services that SERVICE_USAGE can forbid, of those that Defender needs; IAM, Cloud Logging and the like it cannot.

Source: Google, "Restricting resource usage" and its list of supported services, which names the first two for certain.
Whether it names Container Analysis and OS Config was not read: they are left out.
"""


def services_findings(home: Home, missing: Sequence[str]) -> Iterator[SweepFinding]:
    """Services that are needed in a project and off there."""
    if missing:
        reason = f"in project {home.project_id} these services are off: {', '.join(missing)}"
        yield _about(SERVICES_OFF, home, "services", reason, enable(home.project_id, missing))


def pool_findings(home: Home, seen: PoolSeen | None, issuers: ListPolicySeen | None) -> Iterator[SweepFinding]:
    """The pool, or else its providers. `issuers` is the policy about these; None where it was not looked at."""
    if seen is None or not seen.usable:
        deleted = seen is not None and seen.deleted
        yield _about(
            POOL_WRONG,
            home,
            home.pool,
            f"workload identity pool {home.pool} {_state(there=seen is not None, deleted=deleted)}",
            pool_remedy(home, there=seen is not None, deleted=deleted),
        )
        return
    for provider in home.providers:
        yield from _provider(home, provider, seen.providers.get(provider), issuers)


def _provider(
    home: Home, provider: WorkloadProvider, seen: FederationProviderSeen | None, issuers: ListPolicySeen | None
) -> Iterator[SweepFinding]:
    issuer, audience = issuer_of(provider, home.tenant_id), AUDIENCE_OF[provider]
    deleted, disabled = seen is not None and seen.deleted, seen is not None and not seen.usable
    if seen is None and issuers is not None and not issuers.admits(issuer):
        yield restricted(
            ISSUERS_RESTRICTED,
            home,
            ISSUERS,
            f"provider {provider} is not there, and constraints/{ISSUERS} refuses its issuer {issuer}",
            f"Allow `{issuer}` in constraints/{ISSUERS} (`gcloud org-policies set-policy FILE`), then make the "
            f"provider: {provider_remedy(home, provider, there=False, deleted=False, disabled=False)}",
            part=issuer,
        )
        return
    if seen is None or not seen.usable:
        wrong = _state(there=seen is not None, deleted=deleted)
    elif seen.issuer.rstrip("/") != issuer.rstrip("/"):
        wrong = f"has the issuer {seen.issuer} and not {issuer}"
    elif audience not in seen.audiences:
        wrong = f"lacks the audience {audience}"
    else:
        return
    yield _about(
        POOL_PROVIDER_WRONG,
        home,
        provider,
        f"provider {provider} {wrong}",
        provider_remedy(home, provider, there=seen is not None, deleted=deleted, disabled=disabled),
        {"condition": seen.condition} if seen is not None and seen.condition else {},
    )


def account_findings(home: Home, account: str, seen: ServiceAccountSeen | None) -> Iterator[SweepFinding]:
    """One service account, and who may become it.

    Whether a condition holds is not known here: a binding that has one counts.
    """
    email = home.email(account)
    if seen is None or not seen.usable:
        wrong = _state(there=seen is not None, deleted=False)
        remedy = account_remedy(home, account, there=seen is not None)
        yield _about(ACCOUNT_WRONG, home, email, f"service account {email} {wrong}", remedy)
    elif account == ARC_ACCOUNT:
        yield from _token_creators(home, seen)
    elif not _admits([*seen.federated, *seen.token_creators, *seen.conditional], home.members):
        reason = f"the pool lacks roles/iam.workloadIdentityUser on {email}"
        yield _about(BINDING_MISSING, home, email, reason, binding_remedy(home, account))


def _token_creators(home: Home, seen: ServiceAccountSeen) -> Iterator[SweepFinding]:
    minting = seen.token_creators | seen.conditional
    for creator in ARC_CREATORS:
        if creator in home.accounts and f"serviceAccount:{home.email(creator)}" not in minting:
            reason = f"{home.email(creator)} lacks roles/iam.serviceAccountTokenCreator on {home.email(ARC_ACCOUNT)}"
            yield _about(TOKEN_CREATOR_MISSING, home, creator, reason, token_creator_remedy(home, creator))


def _admits(named: Iterable[str], members: str) -> bool:
    return any(each.partition(":")[2].startswith(members) for each in named)


def grant_findings(
    home: Home, grants: Mapping[str, frozenset[str]], sharing: ListPolicySeen | None
) -> Iterator[SweepFinding]:
    """Roles that Defender's accounts lack on the organization; `grants` are members by role.

    `sharing` is domain-restricted sharing as it holds for the organization, None where it was not looked at: Google
    asks it when something is granted and never again.
    """
    for account in home.accounts:
        yield from _lacks(home, home.email(account), ROLES_OF[account], grants, MADE_BY[account])
    for outsider in outsiders(home):
        closed = outsider is SCANNER and sharing is not None and not sharing.admits(*MICROSOFT)
        lacked = list(_lacks(home, outsider.email, outsider.roles, grants, outsider.made))
        if lacked and closed:
            yield sharing_finding(home, f"{outsider.email} lacks {', '.join(outsider.roles)}", outsider.made)
        else:
            yield from lacked


def outsiders(home: Home) -> Iterator[Outsider]:
    """Accounts from outside the organization that need a role there."""
    if home.scans:
        yield SCANNER
    if home.audit_logs:
        yield AUDIT_LOGS


def sharing_findings(home: Home, sharing: ListPolicySeen) -> Iterator[SweepFinding]:
    """As far as it can be told where the project's own grants may not be read."""
    if home.scans and not sharing.admits(*MICROSOFT):
        yield sharing_finding(home, f"whether {SCANNER.email} has its role from before is not known")


def sharing_finding(home: Home, what: str, made: Made | None = None) -> SweepFinding:
    """Domain-restricted sharing lets no account of Microsoft's in."""
    after = f", then: {apply(made)}" if home.shared else ", then grant its role."
    return restricted(
        SHARING_RESTRICTED,
        home,
        SHARING,
        f"{what}, and constraints/{SHARING} lets nobody of Microsoft's organization be granted anything",
        f"Allow `{MICROSOFT[0]}` or the customer `{MICROSOFT[1]}` in constraints/{SHARING} "
        f"(`gcloud org-policies set-policy FILE`){after}",
    )


def _lacks(
    home: Home, email: str, roles: Sequence[str], grants: Mapping[str, frozenset[str]], made: Made
) -> Iterator[SweepFinding]:
    for role in roles:
        wanted = (role_name(role, home.organization), READ_ONLY_INSTEAD.get(role, ""))
        if any(f"serviceAccount:{email}" in grants.get(each, frozenset()) for each in wanted):
            continue
        reason = f"{email} lacks {wanted[0]} on organization {home.organization}"
        yield _about(GRANT_MISSING, home, f"{email} {role}", reason, apply(made))


def custom_roles_of(home: Home) -> tuple[str, ...]:
    """The custom roles of the organization that Defender's accounts need, by their ids."""
    named = {role for account in home.accounts for role in ROLES_OF[account]}
    named |= {role for outsider in outsiders(home) for role in outsider.roles}
    return tuple(sorted(role for role in named if "/" not in role))


def custom_role_findings(home: Home, role: str, seen: CustomRoleSeen | None) -> Iterator[SweepFinding]:
    """A custom role that is not there, or grants nothing."""
    where = f"{role} --organization={home.organization}"
    if seen is None:
        remedy = apply()
    elif seen.deleted:
        remedy = f"Run `gcloud iam roles undelete {where}`, then `terraform apply` in infra/gcp."
    elif seen.disabled:
        remedy = f"Run `gcloud iam roles update {where} --stage=GA`."
    else:
        return
    wrong = _state(there=seen is not None, deleted=seen is not None and seen.deleted)
    yield _about(CUSTOM_ROLE_WRONG, home, role, f"role {role} of organization {home.organization} {wrong}", remedy)


def service_usage_findings(home: Home, seen: ListPolicySeen, resource: str) -> Iterator[SweepFinding]:
    """Services that an organization policy forbids to use, enabled or not; of the others it says nothing."""
    if refused := [each for each in home.services if each in RESTRICTABLE and not seen.admits(each)]:
        named = ", ".join(refused)
        yield restricted(
            SERVICES_RESTRICTED,
            home,
            SERVICE_USAGE,
            f"constraints/{SERVICE_USAGE} forbids {named} in {resource}",
            f"Allow {named} in constraints/{SERVICE_USAGE} of {resource} (`gcloud org-policies set-policy FILE`).",
        )


def storage_findings(home: Home, seen: ListPolicySeen, resource: str) -> Iterator[SweepFinding]:
    """Disks that Defender may not take snapshots of into its own projects."""
    if home.scans and not seen.admits(MICROSOFTS_DISKS):
        yield restricted(
            STORAGE_RESTRICTED,
            home,
            STORAGE,
            f"constraints/{STORAGE} of {resource} lets no disk be used by Microsoft's organization: none is scanned",
            f"Allow `{MICROSOFTS_DISKS}` in constraints/{STORAGE} of {resource} "
            "(`gcloud org-policies set-policy FILE`).",
        )


def perimeter_finding(home: Home, refused: str, remedy: str) -> SweepFinding:
    """A service perimeter that keeps Rollcall out, and so perhaps Defender; `refused` in Google's words."""
    scanner = f", and {SCANNER.email} in and out by an ingress and an egress rule" if home.scans else ""
    return _about(
        PERIMETER_CLOSED,
        home,
        "perimeter",
        f"a service perimeter around project {home.project_id} keeps Rollcall out, and Defender where it is not let in",
        "Let Rollcall's and Defender's service accounts in by an ingress rule of the perimeter "
        f"(`gcloud access-context-manager perimeters update PERIMETER --set-ingress-policies=FILE`){scanner}. {remedy}",
        {"refused": refused},
    )


def restricted(  # noqa: PLR0913 - a kind with the parts of its finding
    kind: SweepKind, home: Home, constraint: str, reason: str, remedy: str, *, part: str = ""
) -> SweepFinding:
    """An organization policy that keeps Defender out."""
    subject = f"{constraint} {part}".strip()
    return _about(kind, home, subject, reason, remedy, {"constraint": constraint})


def _about(  # noqa: PLR0913, PLR0917 - a kind with the parts of its finding
    kind: SweepKind, home: Home, subject: str, reason: str, remedy: str, evidence: Mapping[str, str] | None = None
) -> SweepFinding:
    where = {"project": home.project_id, **(evidence or {})}
    return kind.about(
        f"{home.number}#{subject}",
        reason,
        account=home.number,
        provider=Provider.GCP,
        remedy=remedy,
        evidence=where,
    )


def _state(*, there: bool, deleted: bool) -> str:
    return "is deleted" if deleted else "is disabled" if there else "is not there"
