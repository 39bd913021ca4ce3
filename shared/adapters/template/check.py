"""A template against a profile: both files are read with the profile's parameters, then compared."""

from __future__ import annotations

from shared.adapters.template.roles import read_role_template
from shared.domain.profiles import BUILT_IN, Profile
from shared.domain.template_findings import LintReport
from shared.domain.template_lint import NO_TENANT, Expected, lint, session_tenant


def check_template(content: bytes, own: bytes, profile: Profile, tenant: str = "") -> LintReport:
    """What `content` lacks, or has that nobody knows, beside our own template `own`.

    `tenant` is the Entra tenant; empty: whichever one the template's roles admit, so long as it is one.
    Raises UnreadableError where `content` is no template, or could do harm.
    """
    parameters = profile.stack_parameters() | {"TenantId": tenant or NO_TENANT}
    found = read_role_template(content, parameters)
    whose = tenant or session_tenant(found) or NO_TENANT
    template = read_role_template(own, profile.stack_parameters() | {"TenantId": whose})
    if not tenant and whose != NO_TENANT:
        found = read_role_template(content, parameters | {"TenantId": whose})
    known = "" if whose == NO_TENANT else whose
    whole = read_role_template(own, BUILT_IN["maximum"].stack_parameters() | {"TenantId": whose})
    return lint(found, Expected(roles=profile.roles(), template=template, whole=whole, tenant=known))
