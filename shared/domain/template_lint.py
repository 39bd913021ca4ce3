"""What a template lacks for a profile, or has that nobody knows: compared with what our own makes for that profile."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.domain.documented_access import (
    DOCUMENTED_BESIDES,
    LEAST_MANAGED,
    LEAST_POLICY,
    LEAST_WITHOUT,
    READ_EVERYTHING,
    Access,
    only_reads,
)
from shared.domain.role_templates import Grant, Place, Provider, RoleTemplate, TemplateRole, Trust, covers
from shared.domain.roles import FORMER_NAMES, MACHINE_SETUP_PREFIX, PROVIDER_HOST, Role
from shared.domain.template_findings import Check, LintFinding, LintReport

SESSION_NAME = "MicrosoftDefenderForClouds_"
"""Goes before the customer's tenant in the name of every session of Defender."""
NO_TENANT = "00000000-0000-0000-0000-000000000000"
_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_OLD_RUNTIMES = re.compile(
    r"python(2\.7|3\.[6-9])|nodejs(\d|1[0-8])\.x|nodejs\d.*edge|dotnet.*[56]|go1\.x|ruby[23]\.[0-2]|java8"
)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a profile needs: its roles, what our own template makes for it, and the tenant where it is known.

    `whole` is what our own template makes with every role: a template may hold more than one profile asks for.
    """

    roles: frozenset[Role]
    template: RoleTemplate
    whole: RoleTemplate
    tenant: str = ""


def lint(found: RoleTemplate, expected: Expected) -> LintReport:
    """Compares a template with what the profile needs."""
    if found.transforms:
        message = "transforms and macros: a service-managed StackSet refuses the template"
        told = [_finding(Check.TRANSFORM, "template", message, place) for place in found.transforms]
        return LintReport(access=Access.UNKNOWN, findings=tuple(told))
    access = access_of(found)
    findings = [*_providers(found, expected), *_others(found)]
    for role in sorted(expected.roles):
        findings += _role(role, found, expected, access)
    findings += _beyond(found, expected, access)
    findings += _strangers(found)
    findings += _mixed(found, access)
    return LintReport(access=access, findings=tuple(sorted(set(findings), key=_order)))


def session_tenant(found: RoleTemplate) -> str:
    """The tenant whose sessions most of the template's trusts admit; empty where none names one."""
    names = [name for role in found.roles for trust in role.trusts for name in sorted(trust.session_names)]
    said = [name.removeprefix(SESSION_NAME).lower() for name in names]
    counted = Counter(tenant for tenant in said if _TENANT.fullmatch(tenant)).most_common(1)
    return counted[0][0] if counted else ""


def access_of(found: RoleTemplate) -> Access:
    """Default or least privilege, by what CspmMonitorAws may do."""
    role = found.find(Role.CSPM_MONITOR)
    if role is None:
        return Access.UNKNOWN
    if READ_EVERYTHING in role.managed_policies:
        return Access.DEFAULT
    return Access.LEAST_PRIVILEGE if LEAST_POLICY in role.policy_names else Access.UNKNOWN


def _finding(check: Check, subject: str, message: str, place: Place | None = None) -> LintFinding:
    return LintFinding(check=check, subject=subject, message=message, place=place)


def _order(finding: LintFinding) -> tuple[bool, int, int, str, str]:
    place = finding.place or Place(line=0, column=0)
    return finding.place is None, place.line, place.column, finding.check, finding.message


def _providers(found: RoleTemplate, expected: Expected) -> Iterator[LintFinding]:
    """Each provider that the roles of the profile need, with the audiences that they ask for."""
    by_host = {provider.host: provider for provider in found.providers}
    for wanted in expected.template.providers:
        name = f"OIDC provider {wanted.host}"
        provider = by_host.get(wanted.host)
        if provider is None:
            message = "missing"
            if wanted.host == PROVIDER_HOST:
                message += "; right only where Microsoft Sentinel has made it: then give that one the client ids, too"
            yield _finding(Check.PROVIDER_MISSING, name, message)
        else:
            yield from _provider(name, provider, wanted, _audiences(expected.template, wanted.host))
    known = {provider.host for made in (expected.whole, expected.template) for provider in made.providers}
    for provider in found.providers:
        if provider.host not in known:
            message = "is no identity provider of Defender's: whoever it is could sign in by it"
            yield _finding(Check.TRUST_UNKNOWN, f"OIDC provider {provider.host}", message, provider.place)


def _provider(name: str, provider: Provider, wanted: Provider, needed: frozenset[str]) -> Iterator[LintFinding]:
    for audience in sorted(needed - provider.client_ids):
        message = f"client id {audience} is missing: AWS admits no token with that audience"
        yield _finding(Check.CLIENT_ID_MISSING, name, message, provider.place)
    for audience in sorted(provider.client_ids - wanted.client_ids - needed - _KNOWN_AUDIENCES):
        yield _finding(Check.CLIENT_ID_UNKNOWN, name, f"client id {audience} is not known", provider.place)
    if not wanted.thumbprints <= provider.thumbprints:
        message = f"thumbprint {', '.join(sorted(wanted.thumbprints))} is missing"
        yield _finding(Check.PROVIDER_THUMBPRINT, name, message, provider.place)


_KNOWN_AUDIENCES = frozenset({"api://1462b192-27f7-4cb9-8523-0f4ecb54b47e"})
"""Of the readers of cluster logs: Microsoft's templates have it in the trust, ours among the client ids, too."""


def _audiences(template: RoleTemplate, host: str) -> frozenset[str]:
    trusts = (trust for role in template.roles for trust in role.trusts if trust.principal == host)
    return frozenset(audience for trust in trusts for audience in trust.audiences)


def _others(found: RoleTemplate) -> Iterator[LintFinding]:
    for other in found.others:
        if other.kind in {"AWS::IAM::AccessKey", "AWS::IAM::User"}:
            message = f"{other.kind}: Defender signs in by federation, a lasting key is for somebody else"
            yield _finding(Check.STATIC_KEY, other.logical_id, message, other.place)
        if other.kind == "AWS::CloudFormation::Stack":
            message = "nested stacks: a service-managed StackSet refuses the template"
            yield _finding(Check.TRANSFORM, other.logical_id, message, other.place)
        if _OLD_RUNTIMES.fullmatch(other.runtime):
            message = f"runtime {other.runtime}: Lambda makes no function of it any more; download the template anew"
            yield _finding(Check.OLD_RUNTIME, other.logical_id, message, other.place)


def _role(role: Role, found: RoleTemplate, expected: Expected, access: Access) -> Iterator[LintFinding]:
    present = found.find(role)
    if present is None:
        renamed = next((each for each in found.roles if FORMER_NAMES.get(each.name) is role), None)
        if renamed is None:
            yield _finding(Check.ROLE_MISSING, role, "missing: the connector of this profile names it")
        else:
            message = f"is here as {renamed.name}; the connector names {role}"
            yield _finding(Check.ROLE_RENAMED, role, message, renamed.place)
        return
    wanted = expected.template.find(role)
    if wanted is None:  # nobody has published what it needs
        return
    yield from _trust(present, wanted, expected.tenant)
    yield from _permissions(role, present, wanted, access)


def _beyond(found: RoleTemplate, expected: Expected, access: Access) -> Iterator[LintFinding]:
    """What roles that this profile does not ask for allow beyond what they need: the template makes them, too."""
    for present in found.roles:
        role = next((each for each in Role if each == present.name), None)
        wanted = expected.whole.find(role) if role is not None and role not in expected.roles else None
        if role is not None and wanted is not None:
            told = (*_trust(present, wanted, expected.tenant), *_permissions(role, present, wanted, access))
            yield from (finding for finding in told if finding.check in _TOO_MUCH)


_TOO_MUCH = {
    Check.TRUST_UNKNOWN,
    Check.AUDIENCE_UNKNOWN,
    Check.SESSION_NAME_MISSING,
    Check.SESSION_NAME_WRONG,
    Check.PERMISSION_UNKNOWN,
    Check.PERMISSION_UNBOUNDED,
}


def _strangers(found: RoleTemplate) -> Iterator[LintFinding]:
    known = {*Role, *FORMER_NAMES}
    for role in found.roles:
        if role.name.startswith(MACHINE_SETUP_PREFIX):
            yield from _machine_setup(role)
        elif role.name not in known:
            yield _finding(Check.ROLE_UNKNOWN, role.name, "is no role of Defender's that is known", role.place)


def _machine_setup(role: TemplateRole) -> Iterator[LintFinding]:
    """Roles that set machines up are not Defender's own; AWS's services assume them, and nobody else."""
    for trust in role.trusts:
        if trust.kind != "Service":
            message = f"{trust.kind} {trust.principal} may assume it, which nobody documents"
            yield _finding(Check.TRUST_UNKNOWN, role.name, message, trust.place)
    if "AdministratorAccess" in role.managed_policies:
        message = "managed policy AdministratorAccess is attached, which nobody documents"
        yield _finding(Check.PERMISSION_UNKNOWN, role.name, message, role.place)


def _mixed(found: RoleTemplate, access: Access) -> Iterator[LintFinding]:
    monitor, images = found.find(Role.CSPM_MONITOR), found.find(Role.IMAGE_ASSESSMENT)
    if monitor is not None and access is Access.UNKNOWN:
        message = f"has neither {READ_EVERYTHING} (default access) nor {LEAST_POLICY} (least privilege)"
        yield _finding(Check.ACCESS, monitor.name, message, monitor.place)
    if images is not None and access is not Access.UNKNOWN:
        least = images.managed_policies == LEAST_MANAGED[Role.IMAGE_ASSESSMENT]
        if least is not (access is Access.LEAST_PRIVILEGE) and images.managed_policies:
            other = Access.LEAST_PRIVILEGE if least else Access.DEFAULT
            message = f"has {other} access, {Role.CSPM_MONITOR} {access}"
            yield _finding(Check.ACCESS, images.name, message, images.place)


def _trust(present: TemplateRole, wanted: TemplateRole, tenant: str) -> Iterator[LintFinding]:
    known = {(trust.kind, trust.principal) for trust in wanted.trusts}
    for trust in wanted.trusts:
        same = [each for each in present.trusts if (each.kind, each.principal) == (trust.kind, trust.principal)]
        if not same:
            message = f"{trust.kind} {trust.principal} may not assume it"
            yield _finding(Check.TRUST_MISSING, present.name, message, present.place)
        for each in same:
            yield from _statement(present.name, each, trust, tenant)
    for trust in present.trusts:
        ours = trust.kind == "AWS" and trust.principal == _LOG_READER and trust.external_ids
        if (trust.kind, trust.principal) not in known and not (present.name == Role.DATA_COLLECTION and ours):
            message = f"{trust.kind} {trust.principal} may assume it, which nobody documents"
            yield _finding(Check.TRUST_UNKNOWN, present.name, message, trust.place)


_LOG_READER = "arn:aws:iam::197857026523:user/azuredefender-eks"
"""Microsoft's own user, which reads cluster logs where there is an external id."""


def _statement(name: str, trust: Trust, wanted: Trust, tenant: str) -> Iterator[LintFinding]:
    """One statement of trust beside the one that is wanted of the same principal."""
    for audience in sorted(wanted.audiences - trust.audiences):
        message = f"does not ask for audience {audience}, with which Defender comes"
        yield _finding(Check.AUDIENCE_MISSING, name, message, trust.place)
    for audience in sorted(trust.audiences - wanted.audiences):
        yield _finding(Check.AUDIENCE_UNKNOWN, name, f"audience {audience} is not this role's", trust.place)
    if wanted.session_names:
        yield from _session_name(name, trust, tenant)
    if wanted.external_ids != trust.external_ids:
        said = ", ".join(sorted(trust.external_ids)) or "none"
        message = f"external id {said}, where the profile has {', '.join(sorted(wanted.external_ids)) or 'none'}"
        yield _finding(Check.EXTERNAL_ID, name, message, trust.place)
    if wanted.subjects != trust.subjects:
        message = f"subject {', '.join(sorted(trust.subjects)) or 'none'}, not {', '.join(sorted(wanted.subjects))}"
        yield _finding(Check.SUBJECT, name, message, trust.place)


def _session_name(name: str, trust: Trust, tenant: str) -> Iterator[LintFinding]:
    if not trust.session_names:
        message = f"no condition on sts:RoleSessionName ({SESSION_NAME}<tenant>): any tenant's Defender could come"
        yield _finding(Check.SESSION_NAME_MISSING, name, message, trust.place)
    for said in sorted(trust.session_names):
        whose = said.removeprefix(SESSION_NAME)
        right = said.startswith(SESSION_NAME) and _TENANT.fullmatch(whose)
        if not right or (tenant and whose.lower() != tenant.lower()):
            message = f"sts:RoleSessionName {said}, not {SESSION_NAME}{tenant or '<tenant>'}"
            yield _finding(Check.SESSION_NAME_WRONG, name, message, trust.place)


def _permissions(role: Role, present: TemplateRole, wanted: TemplateRole, access: Access) -> Iterator[LintFinding]:
    least = access is Access.LEAST_PRIVILEGE
    managed = LEAST_MANAGED.get(role, wanted.managed_policies) if least else wanted.managed_policies
    known = wanted.managed_policies | LEAST_MANAGED.get(role, frozenset())
    chosen = role in LEAST_MANAGED and present.managed_policies in {wanted.managed_policies, LEAST_MANAGED[role]}
    for policy in sorted(frozenset() if chosen else managed - present.managed_policies):
        message = f"managed policy {policy} is not attached"
        yield _finding(Check.PERMISSION_MISSING, role, message, present.place)
    for policy in sorted(present.managed_policies - known):
        message = f"managed policy {policy} is attached, which nobody documents"
        yield _finding(Check.PERMISSION_UNKNOWN, role, message, present.place)
    left_out = LEAST_WITHOUT.get(role, frozenset()) if least else frozenset()
    yield from _missing(role, present, [grant for grant in wanted.grants if grant.action not in left_out])
    yield from _unknown(role, present, wanted)


def _actions(grants: Iterable[Grant], *, allowed: bool) -> set[str]:
    return {grant.action for grant in grants if grant.allowed is allowed}


def _missing(role: Role, present: TemplateRole, wanted: Iterable[Grant]) -> Iterator[LintFinding]:
    allowed, denied = _actions(present.grants, allowed=True), _actions(present.grants, allowed=False)
    for grant in wanted:
        if not grant.allowed and not covers(denied, grant.action):
            yield _finding(Check.PERMISSION_MISSING, role, f"does not deny {grant.action}", present.place)
        elif grant.allowed and (not covers(allowed, grant.action) or covers(denied, grant.action)):
            yield _finding(Check.PERMISSION_MISSING, role, f"may not {grant.action}", present.place)


def _unknown(role: Role, present: TemplateRole, wanted: TemplateRole) -> Iterator[LintFinding]:
    known = _actions(wanted.grants, allowed=True) | DOCUMENTED_BESIDES.get(role, frozenset())
    bounded = {grant.action for grant in wanted.grants if grant.allowed and grant.conditional}
    bounded -= {grant.action for grant in wanted.grants if grant.allowed and not grant.conditional}
    for grant in present.grants:
        if not grant.allowed:
            continue
        reads = role is Role.CSPM_MONITOR and only_reads(grant.action)
        if not reads and not covers(known, grant.action):
            message = f"may {grant.action}, which nobody documents"
            yield _finding(Check.PERMISSION_UNKNOWN, role, message, grant.place)
        elif grant.action in bounded and not grant.conditional:
            message = f"may {grant.action} without the condition that bounds it"
            yield _finding(Check.PERMISSION_UNBOUNDED, role, message, grant.place)
        elif grant.action.endswith(":*") and grant.everywhere:
            message = f"may {grant.action} on everything, not only on what Defender makes"
            yield _finding(Check.PERMISSION_UNBOUNDED, role, message, grant.place)
