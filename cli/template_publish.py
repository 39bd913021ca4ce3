"""`rollcall template publish`: bucket, StackSet and the management account's own Stack get one template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import bootstrap, environment
from cli.output import FOUND, WRONG_USAGE, RefusedError, ToldError, console, progress, words, write_json
from cli.template_files import (
    counted,
    finding_json,
    finding_line,
    known_of,
    linted,
    read_template_file,
    refused_template,
    tenant_of,
)
from shared.adapters.policy.yaml_tree import UnreadableError
from shared.adapters.template.roles import read_role_template
from shared.application.publish_template import Place, Plan, Wish, plan_template, publish_template
from shared.domain.profiles import Profile
from shared.domain.role_templates import RoleTemplate
from shared.domain.stack_sets import declared_only
from shared.domain.template_rollout import TENANT, Linted, Step

_WRITTEN = {Step.CREATE, Step.UPDATE}
_DONE = {Step.CREATE: "created", Step.UPDATE: "updated", Step.UNCHANGED: "unchanged"}


def publish(  # noqa: PLR0913, PLR0917 - each is an option of the command
    file: Annotated[Path, typer.Argument(metavar="FILE", help="ours, or one that the portal made")],
    bucket: Annotated[str, typer.Option("--bucket", metavar="NAME", help="versioned, TLS only, in us-east-1")],
    key: Annotated[str, typer.Option("--key", help="of the template in the bucket")] = "member-roles.yaml",
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="FILE", help="its tenant; its profiles are linted")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", metavar="ID", help="in the place of the policy's")] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile", metavar="NAME", help="of the management account's Stack, and linted; left out: as it is"
        ),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="activate StackSets' access to the organization")] = False,
    despite_findings: Annotated[
        bool, typer.Option("--despite-findings", help="publish whatever the linter finds")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be changed")] = False,
    wait_seconds: Annotated[float, typer.Option("--wait", min=1, help="seconds to wait for each rollout")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Upload a template, and roll it out to the StackSet's accounts and the management account.

    Everything is checked first, by the linter for every profile that the policy uses; the same template again changes
    nothing. Exit code 1 where a check or an account fails.

    Example: rollcall template publish portal.json --bucket our-templates --policy policy.yaml --dry-run
    """
    environment.announce_sandbox()
    known = known_of(policy)
    chosen = known.profile(profile) if profile else None
    profiles = {each.name: each for each in (*known.used, *([chosen] if chosen else []))}
    wish = _wish(file, chosen, tenant_of(tenant, known.tenant), tuple(profiles.values()))
    wish = replace(wish, despite_findings=despite_findings)
    ports = bootstrap.template_ports(bucket, key)
    with progress.status("looking at the organization, the bucket and CloudFormation"):
        plan = plan_template(wish, ports, fix=fix and not dry_run)
    _refuse_without_tenant(plan, wish)
    done = not dry_run and not plan.findings
    if done:
        with progress.status("CloudFormation rolls it out"):
            plan = publish_template(wish, plan, ports, timeout_seconds=wait_seconds)
    if as_json:
        write_json(_plan_json(plan, wish, done=done))
    else:
        _show_linted(file, wish.linted)
        _show(plan, done=done)
    if plan.findings or any(place.rollout is not None and not place.rollout.succeeded for place in plan.places):
        raise ToldError(FOUND)


def _wish(file: Path, profile: Profile | None, tenant: str, profiles: tuple[Profile, ...]) -> Wish:
    content = read_template_file(file)
    template = _read(file, content)
    ours = {TENANT: tenant} if tenant else {}
    for_stack = ours | (profile.stack_parameters() if profile is not None else {})
    return Wish(
        content=content,
        template=template,
        for_stack_set=declared_only(ours, template.parameters),
        for_stack=declared_only(for_stack, template.parameters),
        linted=tuple(Linted(profile=each, report=linted(file, content, each, tenant)) for each in profiles),
    )


def _read(file: Path, content: bytes) -> RoleTemplate:
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
    return template


def _refuse_without_tenant(plan: Plan, wish: Wish) -> None:
    """Before anything is made or changed that needs one and has none yet."""
    if TENANT not in wish.template.obligatory or TENANT in wish.for_stack_set:
        return
    places = zip(plan.places[1:], plan.present, strict=False)
    without = (found is None or TENANT not in found.parameters for place, found in places if place.step in _WRITTEN)
    if any(without):
        raise RefusedError("no tenant is named", remedy="give --policy FILE or --tenant ID", exit_code=WRONG_USAGE)


def _show_linted(file: Path, found: tuple[Linted, ...]) -> None:
    for each in found:
        for finding in each.report.findings:
            console.print(finding_line(file, finding), soft_wrap=True, highlight=False)
        _line(f"{'linted':12} {counted(each.report)} for profile {each.profile.name}")


def _show(plan: Plan, *, done: bool) -> None:
    for finding in plan.findings:
        _line(f"{'refused':12} {finding.key}: {finding.reason}. {finding.remedy}")
    for note in plan.notes:
        _line(f"{'note':12} {note}")
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


def _plan_json(plan: Plan, wish: Wish, *, done: bool) -> dict[str, Any]:
    return {
        "hash": plan.content_hash,
        "done": done,
        "findings": [vars(finding) for finding in plan.findings],
        "notes": plan.notes,
        "linted": [
            {
                "profile": each.profile.name,
                "access": each.report.access,
                "findings": [finding_json(finding) for finding in each.report.findings],
            }
            for each in wish.linted
        ],
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
