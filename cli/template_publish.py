"""`rollcall template publish`: bucket, StackSet and the management account's own Stack get one template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import bootstrap
from cli.output import FOUND, WRONG_USAGE, RefusedError, ToldError, console, progress, words, write_json
from cli.policy import read_policy_file
from shared.adapters.policy.problems import profiles_of
from shared.adapters.policy.yaml_tree import UnreadableError
from shared.adapters.template.document import read_bounded
from shared.adapters.template.roles import read_role_template
from shared.application.publish_template import Place, Plan, Wish, plan_template, publish_template
from shared.domain.profiles import BUILT_IN, Profile
from shared.domain.template_rollout import TENANT, Step

_TENANT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DONE = {Step.CREATE: "created", Step.UPDATE: "updated", Step.UNCHANGED: "unchanged"}


def publish(  # noqa: PLR0913, PLR0917 - each is an option of the command
    file: Annotated[Path, typer.Argument(metavar="FILE", help="the template; `rollcall template build` writes ours")],
    bucket: Annotated[str, typer.Option("--bucket", metavar="NAME", help="versioned, TLS only, in us-east-1")],
    key: Annotated[str, typer.Option("--key", help="of the template in the bucket")] = "member-roles.yaml",
    policy: Annotated[str | None, typer.Option("--policy", metavar="FILE", help="a policy with the tenant")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="ID", help="in the place of the policy's")] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="of the management account's Stack; left out: as it is"),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="activate StackSets' access to the organization")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be changed")] = False,
    wait_seconds: Annotated[float, typer.Option("--wait", min=1, help="seconds to wait for each rollout")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Upload a template, and roll it out to the StackSet's accounts and the management account.

    Everything is checked first; the same template again changes nothing. Exit code 1 where a check or an account fails.

    Example: rollcall template publish roles.yaml --bucket our-templates --policy policy.yaml --dry-run
    """
    bootstrap.announce_sandbox()
    chosen, known_tenant = named_profile(profile, policy) if profile else (None, _known(policy)[0])
    wish = _wish(file, chosen, tenant_of(tenant, known_tenant))
    ports = bootstrap.template_ports(bucket, key)
    with progress.status("looking at the organization, the bucket and CloudFormation"):
        plan = plan_template(wish, ports, fix=fix and not dry_run)
    _refuse_without_tenant(plan, wish)
    done = not dry_run and not plan.findings
    if done:
        with progress.status("CloudFormation rolls it out"):
            plan = publish_template(wish, plan, ports, timeout_seconds=wait_seconds)
    if as_json:
        write_json(_plan_json(plan, done=done))
    else:
        _show(plan, done=done)
    if plan.findings or any(place.rollout is not None and not place.rollout.succeeded for place in plan.places):
        raise ToldError(FOUND)


def _wish(file: Path, profile: Profile | None, tenant: str) -> Wish:
    content = read_template_file(file)
    try:
        template = read_role_template(content, {})
    except UnreadableError as error:
        raise refused_template(file, error) from error
    if template.transforms:
        place = template.transforms[0]
        raise RefusedError(
            f"{file}:{place.line}:{place.column}: transforms and macros: a service-managed StackSet refuses them",
            remedy="publish a template without them",
            exit_code=WRONG_USAGE,
        )
    ours = {TENANT: tenant} if tenant else {}
    for_stack = ours | (profile.stack_parameters() if profile is not None else {})
    return Wish(content=content, template=template, for_stack_set=ours, for_stack=for_stack)


def _refuse_without_tenant(plan: Plan, wish: Wish) -> None:
    """Before anything is made that needs one."""
    if any(place.step is Step.CREATE for place in plan.places[1:]) and TENANT not in wish.for_stack_set:
        raise RefusedError("no tenant is named", remedy="give --policy FILE or --tenant ID", exit_code=WRONG_USAGE)


def tenant_of(given: str | None, known: str) -> str:
    """The tenant of the option, or else of the policy, in small letters. Raises typer.BadParameter."""
    if given is not None and not _TENANT.fullmatch(given.lower()):
        raise typer.BadParameter(f"{given!r} is no tenant: a GUID")
    return (given or known).lower()


def named_profile(name: str, policy: str | None) -> tuple[Profile, str]:
    """The profile of that name, and the tenant where a policy says it. Raises typer.BadParameter."""
    tenant, profiles = _known(policy)
    if name not in profiles:
        raise typer.BadParameter(f"no profile {name!r}: there are {', '.join(sorted(profiles))}")
    return profiles[name], tenant


def _known(policy: str | None) -> tuple[str, Mapping[str, Profile]]:
    """The tenant and the profiles of a policy; without one no tenant and the ready-made profiles."""
    if policy is None:
        return "", BUILT_IN
    read, profiles = profiles_of(read_policy_file(policy), policy)
    return read.tenant_id, profiles


def read_template_file(file: Path) -> bytes:
    """A template's bytes, never many more than one may have. Raises RefusedError."""
    try:
        return read_bounded(file)
    except OSError as error:
        raise RefusedError(
            f"cannot read {file}: {error.strerror}", remedy="name a template", exit_code=WRONG_USAGE
        ) from error


def refused_template(file: Path, error: UnreadableError) -> RefusedError:
    """What keeps a file from being read as a template at all."""
    problem = error.problem
    return RefusedError(
        f"{file}:{problem.line}:{problem.column}: {problem.message}",
        remedy="see whether it is the right file",
        exit_code=WRONG_USAGE,
    )


def _show(plan: Plan, *, done: bool) -> None:
    for finding in plan.findings:
        _line(f"{'refused':12} {finding.key}: {finding.reason}. {finding.remedy}")
    for place in plan.places:
        _line(f"{_said(place, done=done):12} {place.name}")
        if place.drifted:
            _line(f"{'drift':12} {place.name}: it has {place.before}, which is not what lies in the bucket")
        for setting in place.wrong_settings:
            _line(f"{'setting':12} {place.name}: {setting}")
        _accounts("behind", place.behind or {}, "`rollcall onboard` tries again")
        _accounts("failed", place.rollout.failed if place.rollout else {}, "the others have it")
    _line(f"sha256 {plan.content_hash}")


def _accounts(word: str, accounts: Mapping[str, str], remedy: str) -> None:
    for account_id, reason in sorted(accounts.items()):
        _line(f"{word:12} {account_id}: {reason or 'no reason given'}; {remedy}")


def _said(place: Place, *, done: bool) -> str:
    return _DONE[place.step] if done or place.step is Step.UNCHANGED else f"to {place.step}"


def _line(text: str) -> None:
    console.print(words(text), soft_wrap=True, highlight=False)


def _plan_json(plan: Plan, *, done: bool) -> dict[str, Any]:
    return {
        "hash": plan.content_hash,
        "done": done,
        "findings": [vars(finding) for finding in plan.findings],
        "places": [
            {
                "name": place.name,
                "step": place.step,
                "before": place.before or None,
                "drift": place.drifted,
                "wrong_settings": place.wrong_settings,
                "behind": dict(place.behind or {}),
                "failed": dict(place.rollout.failed) if place.rollout else {},
            }
            for place in plan.places
        ],
    }
