"""Why Defender cannot get into an account: its identity provider and roles against what the profile needs.

Source: Microsoft's public onboarding Terraform (provider, thumbprint, audiences, `sts:RoleSessionName`); the audiences
are those of `shared/domain/roles.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shared.domain.accounts import Provider
from shared.domain.identity_provider import audiences_of
from shared.domain.profiles import Profile
from shared.domain.roles import AUDIENCE_OF, PROVIDER_HOST, Role
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import PROVIDER_WRONG, ROLE_WRONG

THUMBPRINT = "626d44e704d1ceabe3bf0d53397464ac8080142c"
_SESSION = "MicrosoftDefenderForClouds_"


@dataclass(frozen=True, kw_only=True)
class ProviderSeen:
    """Defender's identity provider of an account."""

    client_ids: frozenset[str]
    thumbprints: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class RoleSeen:
    """What a role's trust asks of tokens of Defender's provider: audiences and session names, as they are written."""

    audiences: frozenset[str] = frozenset()
    session_names: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class IdentitySeen:
    """What there is of it in an account; None for what is not there."""

    provider: ProviderSeen | None
    roles: Mapping[str, RoleSeen | None] = field(default_factory=dict)


def identity_findings(account_id: str, profile: Profile, tenant_id: str, seen: IdentitySeen) -> Iterator[SweepFinding]:
    """What is missing or otherwise than the profile needs it."""
    if wrong := _provider(profile, seen.provider):
        yield PROVIDER_WRONG.about(
            account_id,
            f"identity provider {PROVIDER_HOST}: {wrong}",
            account=account_id,
            provider=Provider.AWS,
            evidence={"provider": wrong},
        )
    for role in sorted(profile.roles()):
        if wrong := _role(role, tenant_id, seen.roles.get(role)):
            yield ROLE_WRONG.about(
                f"{account_id}#{role}",
                f"role {role}: {wrong}",
                account=account_id,
                provider=Provider.AWS,
                evidence={"role": str(role)},
            )


def _provider(profile: Profile, provider: ProviderSeen | None) -> str:
    if provider is None:
        return "it is not there"
    missing = [each for each in audiences_of(profile) if each not in provider.client_ids]
    if missing:
        return f"it lacks the client ids {', '.join(missing)}"
    return "" if THUMBPRINT in provider.thumbprints else f"it lacks the thumbprint {THUMBPRINT}"


def _role(role: Role, tenant_id: str, seen: RoleSeen | None) -> str:
    if seen is None:
        return "it is not there"
    audience = AUDIENCE_OF.get(role)
    if audience is None:  # another trust than Defender's provider, or one that nobody has published
        return ""
    if audience not in seen.audiences:
        return f"its trust does not name the audience {audience}"
    session = f"{_SESSION}{tenant_id}".lower()
    if session not in {each.lower() for each in seen.session_names}:
        return f"its trust does not name sts:RoleSessionName {_SESSION}{tenant_id}"
    return ""
