"""What a project with identities of its own lacks before Defender can get in; compared, never mended.

An Organization connector's members use the management project's, which `infra/gcp` makes. Source: `gcp_identities`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.domain.gcp_identities import AUDIENCE_OF, PROVIDER_OF, email_of, issuer_of, pool_id, service_accounts_of
from shared.domain.profiles import Profile
from shared.domain.sweep.project_identity import PoolSeen, ProjectIdentitySeen, ServiceAccountSeen


def emails_needed(profile: Profile, project_id: str) -> tuple[str, ...]:
    """The service accounts that the connector of a project with its own names."""
    return tuple(sorted(email_of(account, project_id) for account in service_accounts_of(profile)))


def lacking(seen: ProjectIdentitySeen, profile: Profile, number: str, tenant_id: str) -> tuple[str, ...]:
    """What is missing or wrong, in words for people; nothing where Defender can get in as far as can be seen."""
    pool = pool_id(tenant_id)
    found = [*_of_pool(seen.pool, profile, tenant_id)]
    members = f"//iam.googleapis.com/projects/{number}/locations/global/workloadIdentityPools/{pool}/"
    for email, account in sorted(seen.service_accounts.items()):
        found.extend(_of_account(email, account, members))
    return tuple(found)


def _of_pool(seen: PoolSeen | None, profile: Profile, tenant_id: str) -> Iterator[str]:
    if seen is None or not seen.usable:
        yield f"workload identity pool {pool_id(tenant_id)}{_unusable(seen)}"
        return
    for provider in sorted({PROVIDER_OF[account] for account in service_accounts_of(profile)}):
        there = seen.providers.get(provider)
        if there is None or not there.usable:
            yield f"provider {provider}{_unusable(there)}"
        elif there.issuer.rstrip("/") != issuer_of(provider, tenant_id).rstrip("/"):
            yield f"provider {provider} with the issuer {issuer_of(provider, tenant_id)}"
        elif AUDIENCE_OF[provider] not in there.audiences:
            yield f"provider {provider} with the audience {AUDIENCE_OF[provider]}"


def _of_account(email: str, seen: ServiceAccountSeen | None, members: str) -> Iterator[str]:
    """Whether a condition holds is not known here: a binding that has one counts."""
    if seen is None or not seen.usable:
        yield f"service account {email}{_unusable(seen)}"
    elif not _admits([*seen.federated, *seen.token_creators, *seen.conditional], members):
        yield f"roles/iam.workloadIdentityUser on {email} for the pool"


def _admits(named: Iterable[str], members: str) -> bool:
    return any(each.partition(":")[2].startswith(members) for each in named)


def _unusable(seen: object | None) -> str:
    return "" if seen is None else " (deleted or disabled)"
