"""A GCP project as it is now, and what it needs before its connector is made."""

from __future__ import annotations

from dataclasses import replace

from shared.application import refusals
from shared.application.gcp_ports import Google, ProjectSetup
from shared.application.look_at_google import LookAtGoogle
from shared.domain.accounts import Account
from shared.domain.findings import VM_MANAGER_OFF, Finding
from shared.domain.gcp_identities import needs_vm_manager, services_of
from shared.domain.policy import Mode, Policy
from shared.domain.profiles import Profile
from shared.domain.sweep.project_home import home_of
from shared.errors import RollcallError

VM_MANAGER, _ON = "enable-osconfig", "TRUE"
_REFUSED = frozenset({"gcp-permission-denied"})


def project_now(number: str, google: Google) -> Account:
    """The project as Google has it, its id included, whatever the request says.

    Raises TransientError where it cannot be seen, ConfigurationError.
    """
    found = google.projects().find(number)
    if found is None:
        raise refusals.PROJECT_NOT_VISIBLE.error(f"project {number} cannot be seen")
    return found


def ready_project(project: Account, profile: Profile, policy: Policy, google: Google) -> tuple[Finding, ...]:
    """Switches on what Defender needs there and is off; returns what the project lacks all the same.

    A member's APIs are enabled, and VM Manager where its machines get Arc. In mode `standalone` the owner makes
    everything: nothing is changed. Raises TransientError (also until an owner has made what is missing),
    PermanentError, ConfigurationError.
    """
    setup = google.setup()
    if policy.mode is Mode.STANDALONE:
        _require(project, profile, policy, google)
        return _look_at_vm_manager(project, profile, setup)
    if missing := setup.missing_services(project.account_id, services_of(profile)):
        setup.enable_services(project.account_id, missing)
    return _switch_on_vm_manager(project, profile, setup)


def _require(project: Account, profile: Profile, policy: Policy, google: Google) -> None:
    """Everything that is missing at once, each with its command; nothing is concluded where anything is unseen.

    Only what the connector names holds it up: the account that Arc is brought by is none of that.
    """
    look = LookAtGoogle(google, replace(home_of(project, profile, policy), arc=False))
    found = list(look.at_identities())
    if look.untold:
        raise look.untold[0].error
    if found:
        lacks = "; ".join(each.reason for each in found)
        remedy = " ".join(dict.fromkeys(each.remedy for each in found))
        raise refusals.PROJECT_NOT_READY.error(f"project {project.name} is not ready: {lacks}", remedy)


def _look_at_vm_manager(project: Account, profile: Profile, setup: ProjectSetup) -> tuple[Finding, ...]:
    if not needs_vm_manager(profile):
        return ()
    try:
        is_on = _is_on(setup.find_metadata(project.name, VM_MANAGER))
    except RollcallError as error:
        return (_lacks(project, error),)
    return () if is_on else (_off(project, f"{VM_MANAGER} is not {_ON} in project {project.name}"),)


def _switch_on_vm_manager(project: Account, profile: Profile, setup: ProjectSetup) -> tuple[Finding, ...]:
    if not needs_vm_manager(profile):
        return ()
    try:
        if not _is_on(setup.find_metadata(project.name, VM_MANAGER)):
            setup.set_metadata(project.name, VM_MANAGER, _ON)
    except RollcallError as error:
        return (_lacks(project, error),)
    return ()


def _lacks(project: Account, error: RollcallError) -> Finding:
    """What may not be done holds no connector up: machines alone go without. Raises every other error."""
    if error.key not in _REFUSED:
        raise error
    return _off(project, f"{VM_MANAGER} of project {project.name}: {error.reason}")


def _off(project: Account, reason: str) -> Finding:
    return VM_MANAGER_OFF.found(reason, remedy=VM_MANAGER_OFF.remedy.replace("=ID", f"={project.name}"))


def _is_on(value: str | None) -> bool:
    return (value or "").upper() == _ON
