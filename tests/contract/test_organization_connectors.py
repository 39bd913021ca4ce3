"""Connectors of organizations and their members, roles that do not exist, and Defender's own members."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
import requests

from sandbox.azure.native_members import NativeMembers
from shared.domain.connectors import excluding
from tests.fakes.azure_world import DEFAULT_ROLES, World

VERSION = "2024-08-01-preview"
PARENT = "123456789012"
KIND = "Microsoft.Security/securityConnectors"


@pytest.fixture
def world(azure_ports: World) -> Iterator[World]:
    yield azure_ports
    azure_ports.azure.connectors.check_all_roles = True
    for each in azure_ports.azure.resources.of_type(KIND):
        azure_ports.azure.resources.delete(each["id"])


def arn(account_id: str, role: str) -> str:
    return f"arn:aws:iam::{account_id}:role/{role}"


def body(account_id: str, organizational: Any = None, *roles: str) -> dict[str, Any]:
    """A connector with the CSPM role and, as parts of Defender CSPM, other roles."""
    environment: dict[str, Any] = {"environmentType": "AwsAccount", "scanInterval": 4, "regions": ["eu-west-1"]}
    if organizational is not None:
        environment["organizationalData"] = organizational
    offerings: list[dict[str, Any]] = [
        {"offeringType": "CspmMonitorAws", "nativeCloudConnection": {"cloudRoleArn": arn(account_id, "CspmMonitorAws")}}
    ]
    if roles:
        parts = ("vmScanners", "dataSensitivityDiscovery", "databasesDspm")
        found = {part: {"enabled": True, "cloudRoleArn": role} for part, role in zip(parts, roles, strict=False)}
        offerings.append({"offeringType": "DefenderCspmAws", **found})
    return {
        "location": "westeurope",
        "properties": {
            "hierarchyIdentifier": account_id,
            "environmentName": "AWS",
            "environmentData": environment,
            "offerings": offerings,
        },
    }


def put(world: World, document: dict[str, Any], name: str = "") -> requests.Response:
    account_id = document["properties"]["hierarchyIdentifier"]
    path = f"{world.group}/providers/{KIND}/{name or f'aws-{account_id}'}"
    return world.ask("PUT", path, document, version=VERSION)


def organization(**changes: Any) -> dict[str, Any]:
    return {"organizationMembershipType": "Organization", "stacksetName": "defender"} | changes


def member(**changes: Any) -> dict[str, Any]:
    return {"organizationMembershipType": "Member", "parentHierarchyId": PARENT} | changes


@pytest.mark.parametrize(
    ("organizational", "reason"),
    [
        (member(parentHierarchyId=None), "parent hierarchy id"),
        (member(parentHierarchyId="o-exampleorg"), "parent hierarchy id"),
        (organization(stacksetName=""), "StackSet name"),
        (organization(excludedAccountIds=["all"]), "excluded account ids"),
        ({"organizationMembershipType": "Visitor"}, "membership type"),
        ({}, "membership type"),
    ],
)
def test_a_membership_without_its_fields_is_refused(
    world: World, account_id: str, organizational: Any, reason: str
) -> None:
    world.prepare(account_id)
    answer = put(world, body(account_id, organizational))
    assert answer.status_code == 400
    assert reason in answer.json()["errorMessage"]


def test_an_organization_and_a_member_are_connected(world: World, account_id: str, checker: ModuleType) -> None:
    for number, organizational in ((PARENT, organization(excludedAccountIds=["111122223333"])), (account_id, member())):
        world.prepare(number)
        document = body(number, organizational)
        answer = put(world, document)
        assert answer.status_code == 201, answer.text
        assert answer.json()["properties"] == document["properties"]
        for sent, request in ((document, True), (answer.json(), False)):
            found = checker.problems(
                sent, file="securityConnectors", version=VERSION, definition="SecurityConnector", request=request
            )
            assert found == []
    assert put(world, body(account_id, member()), "another").status_code == 409


def test_a_list_that_changes_is_a_body_of_the_specification_and_nothing_else_moves(
    world: World, checker: ModuleType
) -> None:
    """What `excluding` makes of a whole answer, read-only fields and all."""
    world.prepare(PARENT)
    made = put(world, body(PARENT, organization(excludedAccountIds=["111122223333"])), "aws-org").json()
    for listed in (["111122223333", "444455556666"], ["444455556666"], []):
        sent = excluding(made, listed)
        found = checker.problems(
            sent, file="securityConnectors", version=VERSION, definition="SecurityConnector", request=True
        )
        assert found == []
        answer = put(world, sent, "aws-org")
        assert answer.status_code == 200, answer.text
        data = answer.json()["properties"]["environmentData"].pop("organizationalData")
        assert data == organization(**({"excludedAccountIds": listed} if listed else {}))
        assert answer.json()["properties"]["offerings"] == made["properties"]["offerings"]


def test_every_role_in_the_offerings_must_exist(world: World, account_id: str) -> None:
    world.prepare(account_id)
    there, missing, foreign = (
        arn(account_id, "SensitiveDataDiscovery"),
        arn(account_id, "DefenderForCloud-Unknown"),
        arn("999988887777", "SensitiveDataDiscovery"),
    )
    answer = put(world, body(account_id, None, missing, there, foreign))
    assert answer.status_code == 400
    assert f"IAM role(s) do not exist or are invalid: {missing}, {foreign}." in answer.json()["errorMessage"]
    world.azure.connectors.check_all_roles = False
    assert put(world, body(account_id, None, missing, there)).status_code == 201
    world.azure.connectors.check_all_roles = True
    assert put(world, body(account_id, None, missing, there)).status_code == 400
    switched_off = body(account_id, None, missing, there)
    switched_off["properties"]["offerings"][1]["vmScanners"]["enabled"] = False
    assert put(world, switched_off).status_code == 200


def test_the_cspm_role_and_others_are_named_together(world: World, account_id: str) -> None:
    world.prepare(account_id)
    world.accounts[account_id].roles.clear()
    scanner = arn(account_id, "DefenderForCloud-AgentlessScanner")
    message = put(world, body(account_id, None, scanner)).json()["errorMessage"]
    assert message.endswith(f"invalid: {arn(account_id, 'CspmMonitorAws')}, {scanner}.")


def test_a_prepared_account_has_every_default_role(world: World, account_id: str) -> None:
    world.prepare(account_id)
    assert {each.arn for each in world.accounts[account_id].roles} == {arn(account_id, name) for name in DEFAULT_ROLES}
    assert len(DEFAULT_ROLES) == 15


@dataclass
class Organization:
    """The accounts of PARENT's organization, and a clock that stands still until it is moved."""

    accounts: dict[str, str]
    now: float = 0.0

    def list_accounts(self, management_account_id: str) -> list[Any]:
        @dataclass
        class Account:
            id: str
            state: str

        assert management_account_id == PARENT
        return [Account(number, state) for number, state in self.accounts.items()]


@pytest.fixture
def native(world: World) -> tuple[Organization, Callable[[], dict[str, Any]]]:
    """An organization whose accounts get their members ten seconds after they are seen."""
    found = Organization({PARENT: "ACTIVE"})
    members = NativeMembers(world.azure.resources, found.list_accounts, seconds=10)

    def look() -> dict[str, Any]:
        """The connectors beside the organization's own, after Defender has looked."""
        members.look(lambda: found.now)
        connectors = world.ask("GET", f"{world.group}/providers/{KIND}", version=VERSION).json()["value"]
        return {each["name"]: each for each in connectors if each["properties"]["hierarchyIdentifier"] != PARENT}

    return found, look


def test_defender_gives_every_account_its_member_after_a_while(
    world: World, native: tuple[Organization, Callable[[], dict[str, Any]]]
) -> None:
    found, look = native
    found.accounts |= {"111111111111": "ACTIVE", "222222222222": "SUSPENDED", "333333333333": "ACTIVE"}
    assert look() == {}
    world.prepare(PARENT)
    scanner = arn(PARENT, "DefenderForCloud-AgentlessScanner")
    document = body(PARENT, organization(excludedAccountIds=["333333333333"]), scanner)
    assert put(world, document, "org").status_code == 201
    assert look() == {}
    found.now = 9
    assert look() == {}
    found.now = 11
    [(name, made)] = look().items()
    assert name == "org_111111111111"
    assert made["id"] == f"{world.group.replace('resourceGroups', 'resourcegroups')}/providers/{KIND}/{name}"
    assert made["properties"]["environmentData"] == {
        "environmentType": "AwsAccount",
        "organizationalData": member(),
        "regions": ["eu-west-1"],
        "scanInterval": 4,
    }
    assert [list(each)[1:] for each in made["properties"]["offerings"]] == [["nativeCloudConnection"], ["vmScanners"]]
    assert PARENT not in str(made["properties"]["offerings"])
    assert scanner.replace(PARENT, "111111111111") in str(made["properties"]["offerings"])
    found.accounts["444444444444"] = "ACTIVE"
    look()
    found.now = 22
    assert set(look()) == {"org_111111111111", "org_444444444444"}


def test_defender_leaves_an_account_alone_that_has_a_connector(
    world: World, account_id: str, native: tuple[Organization, Callable[[], dict[str, Any]]]
) -> None:
    found, look = native
    found.accounts[account_id] = "ACTIVE"
    for number, organizational in ((PARENT, organization()), (account_id, None)):
        world.prepare(number)
        assert put(world, body(number, organizational)).status_code == 201
    look()
    found.now = 100
    assert list(look()) == [f"aws-{account_id}"]


def test_defender_looks_by_itself_only_where_the_setting_says_so(world: World) -> None:
    assert world.azure.native_members is None
    found = Organization({"555555555555": "ACTIVE"})
    world.prepare(PARENT)
    assert put(world, body(PARENT, organization()), "org").status_code == 201
    members = NativeMembers(world.azure.resources, found.list_accounts, seconds=0.1)
    members.start()
    deadline = time.monotonic() + 5
    path = f"{world.group}/providers/{KIND}/org_555555555555"
    while world.ask("GET", path, version=VERSION).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    members.stop()
