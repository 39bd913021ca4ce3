"""What a GCP project has of Defender's identity: the pool, its providers, service accounts and who may be them.

And what an organization has: custom roles, and the policies that can keep Defender out.
"""

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
    deleted: bool = False


@dataclass(frozen=True, kw_only=True)
class PoolSeen:
    """A workload identity pool with its providers by their ids. `usable`: neither disabled nor deleted."""

    usable: bool
    providers: Mapping[str, FederationProviderSeen] = field(default_factory=dict)
    deleted: bool = False


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
class CustomRoleSeen:
    """A custom role. A deleted one can be seen, and undeleted, for seven days; a disabled one grants nothing."""

    deleted: bool = False
    disabled: bool = False


@dataclass(frozen=True, kw_only=True)
class ListPolicySeen:
    """An organization policy about a list of values, as it holds for one resource.

    `allowed` is None where everything is that is not `denied`. Values without the prefix `is:`, which says nothing.
    """

    allowed: frozenset[str] | None = None
    denied: frozenset[str] = frozenset()

    def admits(self, *values: str) -> bool:
        """Whether any of these is allowed; a slash at the end makes no difference."""
        wanted = {value.rstrip("/") for value in values} - {value.rstrip("/") for value in self.denied}
        return bool(wanted) and (
            self.allowed is None or not wanted.isdisjoint({value.rstrip("/") for value in self.allowed})
        )
