"""Defender's identity provider where an account had it before its roles: when to use it, and what it has to list.

Microsoft Sentinel signs in to AWS through the same provider, and an account has one for each address.
Source: Microsoft Sentinel documentation, "Connect Microsoft Sentinel to AWS" beside Defender for Cloud; IAM API
2010-05-08, CreateOpenIDConnectProvider and AddClientIDToOpenIDConnectProvider.
"""

from __future__ import annotations

from collections.abc import Mapping

from shared.domain.instance_failures import PROVIDER_EXISTS, diagnose_instance
from shared.domain.profiles import Profile
from shared.domain.roles import AUDIENCE_OF, PROVIDER_HOST, RoleGroup
from shared.domain.stack_sets import IDENTITY_PROVIDER, InstanceState, StackInstance, declared_only

EXISTING = "existing"
"""The value of `IdentityProvider` by which a stack makes no provider; its default makes one."""
USED = "it uses the identity provider that the account had before"
ADOPTING = f"the account has Defender's identity provider already: deployed again with {IDENTITY_PROVIDER}={EXISTING}"


def may_adopt(instance: StackInstance | None, declared: frozenset[str]) -> bool:
    """Whether an instance failed only since the account has the provider, and may be deployed without making one.

    Never a second time; and not where the StackSet's template declares no parameter for it.
    """
    if instance is None or instance.state is not InstanceState.FAILED or IDENTITY_PROVIDER not in declared:
        return False
    return not uses_existing(instance.parameters) and diagnose_instance(instance.reason) is PROVIDER_EXISTS


def uses_existing(parameters: Mapping[str, str]) -> bool:
    """Whether these parameters leave the provider to whoever made it."""
    return parameters.get(IDENTITY_PROVIDER) == EXISTING


def makes_no_provider(parameters: Mapping[str, str]) -> bool:
    """Whether the stack has no identity provider, neither Defender's nor that of CIEM: deleted, it takes none along."""
    return uses_existing(parameters) and parameters.get(RoleGroup.CIEM) == "false"


def parameters_for(profile: Profile, instance: StackInstance | None, declared: frozenset[str]) -> dict[str, str]:
    """The overrides that an account's instance is to have: its profile's, of those that the template declares.

    What uses a provider that was there before goes on doing so: asked to make one it would fail.
    """
    wanted = profile.stack_parameters()
    if may_adopt(instance, declared) or (instance is not None and uses_existing(instance.parameters)):
        wanted[IDENTITY_PROVIDER] = EXISTING
    return declared_only(wanted, declared)


def audiences_of(profile: Profile) -> tuple[str, ...]:
    """What the provider has to list as client ids, so that Defender gets into every role of this profile."""
    return tuple(sorted({AUDIENCE_OF[role] for role in profile.roles() if role in AUDIENCE_OF}))


def provider_advice(account_id: str, profile: Profile) -> str:
    """What a person has to do to a provider that was there before: we change none that we did not make."""
    return (
        f"The identity provider {PROVIDER_HOST} of account {account_id} was there before and has to list these client "
        f"ids: {', '.join(audiences_of(profile))}. Add those that it lacks, one by one: "
        "aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn "
        f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST} --client-id CLIENT_ID. "
        f"Runbook: {PROVIDER_EXISTS.key}."
    )
