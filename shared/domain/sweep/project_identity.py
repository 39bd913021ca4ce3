"""What a GCP project has of Defender's identity: the pool, its providers, service accounts and who may be them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class FederationProviderSeen:
    """One provider of a workload identity pool. `usable`: neither disabled nor deleted.

    Deleted ones can be seen for 30 days, and their names are taken for so long.
    """

    usable: bool
    issuer: str
    audiences: frozenset[str]
    condition: str = ""


@dataclass(frozen=True, kw_only=True)
class PoolSeen:
    """A workload identity pool with its providers by their ids. `usable`: neither disabled nor deleted."""

    usable: bool
    providers: Mapping[str, FederationProviderSeen] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ServiceAccountSeen:
    """A service account, and who may act as it by a binding on the account itself.

    `federated` are the members with `roles/iam.workloadIdentityUser`, `token_creators` those with
    `roles/iam.serviceAccountTokenCreator`: either lets a federated identity ask for its tokens. Members of bindings
    with a condition are in `conditional` only: whether it holds is not known here.
    """

    usable: bool
    federated: frozenset[str] = frozenset()
    token_creators: frozenset[str] = frozenset()
    conditional: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ProjectIdentitySeen:
    """What there is; None for what is not there. Service accounts by e-mail address."""

    pool: PoolSeen | None
    service_accounts: Mapping[str, ServiceAccountSeen | None] = field(default_factory=dict)
