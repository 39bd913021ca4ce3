"""Use case of `rollcall template publish`: bucket, StackSet and the management account's own Stack get one template."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.application.ports import Clock, ManagementAccount, RoleDeployment, TemplateBucket
from shared.domain.findings import STACK_SET_SELF_MANAGED, STACK_SETS_NOT_TRUSTED, Finding
from shared.domain.role_templates import RoleTemplate
from shared.domain.template_rollout import (
    DeployedTemplate,
    Linted,
    Rollout,
    Step,
    bucket_findings,
    caller_findings,
    drifted,
    lint_findings,
    publication_notes,
    replacement_notes,
    step_for,
    template_findings,
)
from shared.errors import TransientError


@dataclass(frozen=True, kw_only=True)
class TemplatePorts:
    """What publishing works with."""

    account: ManagementAccount
    bucket: TemplateBucket
    stack_set: RoleDeployment
    stack: RoleDeployment
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The template, what is in it, and the parameters that StackSet and Stack are to have besides what they have.

    `linted` is what the linter says for each profile; `despite_findings` publishes nevertheless.
    """

    content: bytes
    template: RoleTemplate
    for_stack_set: Mapping[str, str]
    for_stack: Mapping[str, str]
    linted: tuple[Linted, ...] = ()
    despite_findings: bool = False

    @property
    def content_hash(self) -> str:
        """The SHA-256 of the template, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Place:
    """One place of the template: what it had, what it needs, and what came of it."""

    name: str
    step: Step
    before: str = ""
    drifted: bool = False
    wrong_settings: tuple[str, ...] = ()
    behind: Mapping[str, str] | None = None
    rollout: Rollout | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What publishing would do; `findings` keep it from being done, `notes` do not.

    `present` are StackSet and Stack as read.
    """

    content_hash: str
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    present: tuple[DeployedTemplate | None, ...] = (None, None)


def plan_template(wish: Wish, ports: TemplatePorts, *, fix: bool) -> Plan:
    """Checks everything, then reads what is there. With `fix`, StackSets' access to the organization is activated.

    Raises TransientError, ConfigurationError.
    """
    notes = list(publication_notes(wish.template, wish.linted))
    found = list(template_findings(wish.template))
    if not wish.despite_findings:
        found += lint_findings(wish.linted)
    found += _preflight(ports, fix=fix and not found)
    if found:
        return Plan(content_hash=wish.content_hash, findings=tuple(found), notes=tuple(notes))
    published = ports.bucket.find()
    stack_set, stack = ports.stack_set.find(), ports.stack.find()
    if stack_set is not None and not stack_set.service_managed:
        found.append(STACK_SET_SELF_MANAGED.found("the StackSet of that name is self-managed"))
    bucket_step = Step.UNCHANGED if published == wish.content_hash else Step.UPDATE if published else Step.CREATE
    return Plan(
        content_hash=wish.content_hash,
        findings=tuple(found),
        notes=(*notes, *replacement_notes(wish.template, stack_set)),
        places=(
            Place(name="bucket", step=bucket_step, before=published),
            _place("stack set", stack_set, published, wish.content_hash, wish.for_stack_set),
            _place("stack of the management account", stack, published, wish.content_hash, wish.for_stack),
        ),
        present=(_as_declared(stack_set, wish), _as_declared(stack, wish)),
    )


def _as_declared(present: DeployedTemplate | None, wish: Wish) -> DeployedTemplate | None:
    """What is there, without the parameters that the new template does not take any more."""
    if present is None:
        return None
    kept = {name: value for name, value in present.parameters.items() if name in wish.template.parameters}
    return replace(present, parameters=kept)


def _preflight(ports: TemplatePorts, *, fix: bool) -> list[Finding]:
    found = list(caller_findings(ports.account.inspect()))
    if fix and [each.key for each in found] == [STACK_SETS_NOT_TRUSTED.key]:
        ports.account.activate_organizations_access()
        found = list(caller_findings(ports.account.inspect()))
    return found or list(bucket_findings(ports.bucket.inspect()))


def _place(
    name: str, present: DeployedTemplate | None, published: str, wanted: str, parameters: Mapping[str, str]
) -> Place:
    return Place(
        name=name,
        step=step_for(present, wanted, parameters),
        before=present.template_hash if present else "",
        drifted=drifted(present, published),
        wrong_settings=present.wrong_settings if present else (),
        behind=present.behind if present else {},
    )


def publish_template(wish: Wish, plan: Plan, ports: TemplatePorts, *, timeout_seconds: float) -> Plan:
    """Does what was planned, in that order, and waits for it. What is unchanged is not touched.

    Raises TransientError where it takes too long, which ends nothing; PermanentError, ConfigurationError where AWS
    refuses. Doing it again continues.
    """
    bucket, stack_set, stack = plan.places
    if bucket.step is not Step.UNCHANGED:
        ports.bucket.put(wish.content)
    done = [bucket]
    wishes = (wish.for_stack_set, wish.for_stack)
    deployments = (ports.stack_set, ports.stack)
    for place, deployment, parameters, present in zip(
        (stack_set, stack), deployments, wishes, plan.present, strict=True
    ):
        done.append(_deploy(place, deployment, parameters, present, ports, timeout_seconds=timeout_seconds))
    return replace(plan, places=tuple(done))


def _deploy(  # noqa: PLR0913 - what was planned, for one of two places
    place: Place,
    deployment: RoleDeployment,
    parameters: Mapping[str, str],
    present: DeployedTemplate | None,
    ports: TemplatePorts,
    *,
    timeout_seconds: float,
) -> Place:
    if place.step is Step.UNCHANGED:
        return place
    if present is None:
        waiting_for = deployment.create(ports.bucket.url, parameters)
    else:
        waiting_for = deployment.update(ports.bucket.url, parameters, present)
    waited = 0.0
    rollout = deployment.progress(waiting_for) if waiting_for else Rollout(ended=True, succeeded=True)
    while not rollout.ended:
        if waited >= timeout_seconds:
            raise TransientError(
                f"the {place.name} is still being changed after {timeout_seconds:g} s",
                remedy="AWS goes on by itself; run the same command again to see how it ended.",
            )
        ports.clock.sleep(1.0)
        waited += 1.0
        rollout = deployment.progress(waiting_for)
    return replace(place, rollout=rollout)
