"""The population in a running sandbox: the deeds of a plan, as people and clouds do them, and who is who."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moto.organizations.models import FakeAccount, organizations_backends

from sandbox.aws import organization_events
from sandbox.aws.account_creation import emit_later
from sandbox.aws.active import active
from shared.domain.accounts import Provider
from shared.domain.connectors import OWNER_TAG
from shared.domain.ledger import AccountKey
from tests.e2e.roll import Roll
from tests.e2e.test_projects import PROJECTS, Google
from tests.soak.model import ENDINGS, FOLDERS, QUARANTINE, UNITS, Cloud, Deed, Member, Model
from tests.soak.plan import Step

TYPE = "microsoft.security/securityconnectors"
REASONS = (
    "OptInRequired: The AWS Access Key Id needs a subscription for the service",
    "ResourceStatusReason: Access Denied by a service control policy.",
)
CALM: dict[str, tuple[Cloud, str]] = {
    "calm-foundational": ("aws", "/Arrivals"),
    "calm-recommended": ("aws", "/Workloads/Production"),
    "calm-regulated": ("aws", "/Workloads/Regulated"),
    "calm-project": ("gcp", "/Workloads"),
}
"""Who is connected before any trouble: what all others have to be like."""


@dataclass(frozen=True)
class Pattern:
    """What a calm member came to: its connector's body and its stack instance's parameters."""

    body: dict[str, Any]
    parameters: dict[str, str]


class World:
    """The population of one sandbox. `ids` are account ids and project numbers by name."""

    def __init__(self, roll: Roll, folder: Path) -> None:
        """Nobody is there yet, and the units are."""
        self.roll, self.folder = roll, folder
        self.google = Google(roll, folder)
        self.model = Model()
        self.ids: dict[str, str] = {}
        self.patterns: dict[tuple[Cloud, str], Pattern] = {}
        self._units = {path: roll.make_unit(*_parts(path)) for path in [*UNITS, QUARANTINE]}
        self._left: dict[str, FakeAccount] = {}
        for path in (*FOLDERS, QUARANTINE):
            roll.sandbox.gcp.folder_at(path)

    def calm_down(self) -> None:
        """The members of `CALM` are connected, and what they have is remembered."""
        google = self.roll.sandbox.google
        self.google.move(google.management_project, "/Platform")
        self.google.wait_for(google.management_number, "connected")
        for name, (cloud, unit) in CALM.items():
            if cloud == "aws":
                self.ids[name] = self.roll.plant_account(name, parent_id=self._units[unit])
                self.roll.ask_onboarding(self.ids[name])
            else:
                self.ids[name] = self.google.create(f"soak-{name}", unit)
        for name, (cloud, unit) in CALM.items():
            account_id = self.ids[name]
            if cloud == "aws":
                self.roll.wait_for_state(account_id, "connected")
            else:
                self.google.wait_for(account_id, "connected")
            profile = (UNITS if cloud == "aws" else FOLDERS)[unit]
            [body] = self.connectors(account_id)
            parameters = self.parameters(account_id) if cloud == "aws" else {}
            self.patterns[cloud, profile] = Pattern(
                body=likeness(body, account_id, f"soak-{name}"), parameters=parameters or {}
            )
        self.roll.wait_until_drained()

    # What is there

    def key(self, member: Member) -> AccountKey:
        """Its key in the ledger."""
        return AccountKey(provider=Provider(member.cloud), hierarchy_identifier=self.ids[member.name])

    def connectors(self, hierarchy_identifier: str) -> list[dict[str, Any]]:
        """Every connector that names an account or a project."""
        there = self.roll.sandbox.azure.resources.as_of(time.monotonic())
        found = [each for each in there if str(each["type"]).lower() == TYPE]
        return [each for each in found if each["properties"].get("hierarchyIdentifier") == hierarchy_identifier]

    def parameters(self, account_id: str) -> dict[str, str] | None:
        """What its stack instance was made with; None where it has none that is current."""
        instance = self.instance(account_id)
        return dict(instance.overrides) if instance is not None and instance.status == "CURRENT" else None

    def instance(self, account_id: str) -> Any:
        """Its stack instance, None where the StackSet has none."""
        [stack_set] = [each for each in active().stack_sets.all if each.name == "rollcall-member-roles"]
        found = [each for (account, _), each in list(stack_set.instances.items()) if account == account_id]
        return found[0] if found else None

    # Deeds

    def do(self, step: Step) -> None:
        """One deed of the plan."""
        assert step.deed is not None
        if step.deed in ENDINGS | {Deed.DELETE_PROJECT, Deed.SLIP}:
            self._observe(step)
        member = self.model.apply(step.deed, step.name, step.unit)
        _DEEDS[step.deed](self, member, step)
        member.history[-1] += f" at {step.at:g} s"

    def _observe(self, step: Step) -> None:
        """Whether somebody who is about to leave has a connector of ours: it has to stay."""
        member = self.model.members[step.name]
        if member.takes_part:
            member.had_connector = any(self._is_ours(each) for each in self.connectors(self.ids[step.name]))

    def _is_ours(self, connector: dict[str, Any]) -> bool:
        owner = (connector.get("tags") or {}).get(OWNER_TAG)
        return owner in {self.roll.organization, self.roll.sandbox.gcp.organization}

    def _account(self, account_id: str) -> FakeAccount:
        return self.roll.sandbox.aws.organization.get_account_by_id(account_id)

    def _join(self, member: Member, _: Step) -> None:
        self.ids[member.name] = self.roll.create_account(member.name)

    def _appear(self, member: Member, _: Step) -> None:
        address = f"{member.name}@accounts.example"
        self.ids[member.name] = self.roll.sandbox.aws.add_account(member.name, email=address)

    def _rival(self, member: Member, step: Step) -> None:
        self._appear(member, step)
        account_id = self.ids[member.name]
        self.roll.seed(resources=[_theirs(self, account_id)])
        self.roll.ask_onboarding(account_id)

    def _rival_goes(self, member: Member, _: Step) -> None:
        self.roll.sandbox.azure.resources.delete(_theirs(self, self.ids[member.name])["id"])

    def _move(self, member: Member, step: Step) -> None:
        account = self._account(self.ids[member.name])
        self.roll.client("organizations").move_account(
            AccountId=account.id, SourceParentId=account.parent_id, DestinationParentId=self._units[step.unit]
        )

    def _slip(self, member: Member, step: Step) -> None:
        self._account(self.ids[member.name]).parent_id = self._units[step.unit]

    def _tag(self, member: Member, _: Step) -> None:
        tags = [{"Key": "defender", "Value": "exempt"}]
        self.roll.client("organizations").tag_resource(ResourceId=self.ids[member.name], Tags=tags)

    def _untag(self, member: Member, _: Step) -> None:
        self.roll.client("organizations").untag_resource(ResourceId=self.ids[member.name], TagKeys=["defender"])

    def _close(self, member: Member, _: Step) -> None:
        self.roll.client("organizations").close_account(AccountId=self.ids[member.name])

    def _remove(self, member: Member, _: Step) -> None:
        account_id = self.ids[member.name]
        self._left[account_id] = self._account(account_id)
        self.roll.client("organizations").remove_account_from_organization(AccountId=account_id)

    def _leave(self, member: Member, _: Step) -> None:
        """As LeaveOrganization, of which the management account gets one event."""
        account_id, backend = self.ids[member.name], self.roll.sandbox.aws.organization
        self._left[account_id] = self._account(account_id)
        backend.remove_account_from_organization(AccountId=account_id)
        emit_later(backend.account_id, organization_events.account_departed(backend.account_id, account_id, "LEFT"))

    def _return(self, member: Member, step: Step) -> None:
        """Invited, and it accepts: the same account, directly below the root."""
        account_id, backend = self.ids[member.name], self.roll.sandbox.aws.organization
        account = self._left.pop(account_id)
        account.parent_id = self._units[step.unit]
        account.create_time = datetime.now(UTC).replace(tzinfo=None)
        backend.accounts.append(account)
        for policy in account.attached_policies:  # leaving took it off their lists, and moto looks there once more
            policy.attachments.append(account)
        organizations_backends.master_accounts[account_id] = (backend.account_id, backend.partition)
        emit_later(backend.account_id, organization_events.account_joined(backend.account_id, account_id, "INVITED"))

    def _stumble(self, member: Member, step: Step) -> None:
        reason = REASONS[int(step.at * 100) % len(REASONS)]
        self.roll.sandbox.aws.fail_stack_instances(self.ids[member.name], reason, times=1 + int(step.at) % 2)

    def _create(self, member: Member, step: Step) -> None:
        self.ids[member.name] = self.google.create(project_id(member), step.unit)

    def _project_appears(self, member: Member, step: Step) -> None:
        planted = self.roll.seed(projects=[{"id": project_id(member), "folder": step.unit}])
        [self.ids[member.name]] = planted["projects"]

    def _move_project(self, member: Member, step: Step) -> None:
        self.google.move(project_id(member), step.unit)

    def _delete_project(self, member: Member, _: Step) -> None:
        self.google.ask("DELETE", f"{PROJECTS}/{project_id(member)}")

    def _undelete_project(self, member: Member, _: Step) -> None:
        self.google.ask("POST", f"{PROJECTS}/{project_id(member)}:undelete", {})

    def _lose_connector(self, member: Member, _: Step) -> None:
        for each in self.connectors(self.ids[member.name]):
            if self._is_ours(each):
                self.roll.sandbox.azure.resources.delete(each["id"])

    def _lose_plan(self, member: Member, _: Step) -> None:
        for each in self.connectors(self.ids[member.name]):
            if self._is_ours(each) and each["properties"]["offerings"]:
                body = copy.deepcopy(each)
                body["properties"]["offerings"].pop()
                self.roll.sandbox.azure.resources.put(body)

    def mend(self) -> None:
        """No account stumbles any more."""
        for account_id in self.ids.values():
            self.roll.sandbox.aws.mend_stack_instances(account_id)


def project_id(member: Member) -> str:
    """The id of a member that is a project."""
    return f"soak-{member.name}"


def likeness(body: dict[str, Any], *own: str) -> dict[str, Any]:
    """A connector's body without what is its `own`: ids, when it was made, its version."""
    text = json.dumps({key: body[key] for key in ("location", "tags", "properties")})
    for each in own:
        text = text.replace(each, "ID")
    kept: dict[str, Any] = json.loads(text)
    kept["properties"].pop("hierarchyIdentifierTrialEndDate", None)
    return kept | {"place": str(body["id"]).rpartition("/")[0].lower()}


def _theirs(world: World, account_id: str) -> dict[str, Any]:
    settings = world.roll.sandbox.settings
    scope = f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
    return {
        "id": f"{scope}/providers/Microsoft.Security/securityConnectors/theirs-{account_id}",
        "name": f"theirs-{account_id}",
        "type": "Microsoft.Security/securityconnectors",
        "location": "westeurope",
        "tags": {OWNER_TAG: "o-elsewhere"},
        "properties": {"environmentName": "AWS", "hierarchyIdentifier": account_id, "offerings": []},
    }


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


_DEEDS: dict[Deed, Callable[[World, Member, Step], None]] = {
    Deed.JOIN: World._join,
    Deed.APPEAR: World._appear,
    Deed.RIVAL: World._rival,
    Deed.RIVAL_GOES: World._rival_goes,
    Deed.MOVE: World._move,
    Deed.SLIP: World._slip,
    Deed.TAG: World._tag,
    Deed.UNTAG: World._untag,
    Deed.CLOSE: World._close,
    Deed.REMOVE: World._remove,
    Deed.LEAVE: World._leave,
    Deed.RETURN: World._return,
    Deed.STUMBLE: World._stumble,
    Deed.CREATE: World._create,
    Deed.APPEAR_PROJECT: World._project_appears,
    Deed.MOVE_PROJECT: World._move_project,
    Deed.DELETE_PROJECT: World._delete_project,
    Deed.UNDELETE_PROJECT: World._undelete_project,
    Deed.LOSE_CONNECTOR: World._lose_connector,
    Deed.LOSE_PLAN: World._lose_plan,
}
