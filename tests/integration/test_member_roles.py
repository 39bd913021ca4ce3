"""infra/aws/member-roles.yaml deployed by a StackSet: what stands in the account when groups go on and off."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.deployment import MEMBER_TEMPLATE
from shared.domain.connector_api import offerings_of
from shared.domain.instance_failures import PROVIDER_EXISTS, diagnose_instance
from shared.domain.profiles import Profile
from shared.domain.roles import Role
from tests.fakes.aws_world import TENANT, AwsWorld, aws_world
from tests.fixtures.profiles import READY_MADE
from tests.infra.member_roles import ALWAYS, EVERYTHING, GROUPS, STRINGS

MICROSOFT = "https://sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
OURS = f"https://sts.windows.net/{TENANT}/"
NOTHING = dict.fromkeys(GROUPS, "false") | dict.fromkeys(STRINGS, "")
STRINGS_GIVEN = {"DataCollectionExternalId": "external", "CiemSubject": "0a1b2c3d-0000-4000-8000-000000000001"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AwsWorld]:
    with aws_world(tmp_path) as world:
        world.cloud.prepare_organization()
        world.stack_set(TemplateBody=MEMBER_TEMPLATE.read_text(encoding="utf-8"))
        yield world


def overrides(parameters: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in sorted(parameters.items())]


def deploy(world: AwsWorld, account: str, parameters: dict[str, str]) -> None:
    operation = world.finished(world.deploy(account, ParameterOverrides=overrides(parameters)))
    succeeded(world, account, operation, parameters)


def update(world: AwsWorld, account: str, parameters: dict[str, str]) -> None:
    answer = world.client("cloudformation").update_stack_instances(
        StackSetName="roles",
        DeploymentTargets={
            "OrganizationalUnitIds": [world.root()],
            "Accounts": [account],
            "AccountFilterType": "INTERSECTION",
        },
        Regions=["us-east-1"],
        ParameterOverrides=overrides(parameters),
    )
    succeeded(world, account, world.finished(answer["OperationId"]), parameters)


def succeeded(world: AwsWorld, account: str, operation: dict[str, Any], parameters: dict[str, str]) -> None:
    assert operation["Status"] == "SUCCEEDED", world.results(operation["OperationId"])
    assert world.instance(account)["ParameterOverrides"] == overrides(parameters)


def providers(world: AwsWorld, account: str) -> dict[str, tuple[str, ...]]:
    """URL → client ids."""
    found = world.cloud.inspect_account(account)
    assert found is not None
    return {provider.url: provider.client_ids for provider in found.oidc_providers}


def trust(world: AwsWorld, account: str, role_name: str) -> list[dict[str, Any]]:
    role = world.member("iam", account).get_role(RoleName=role_name)["Role"]
    statements: list[dict[str, Any]] = role["AssumeRolePolicyDocument"]["Statement"]
    return statements


def test_everything_switched_on_makes_every_role_and_both_providers(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    deploy(world, account, EVERYTHING | STRINGS_GIVEN)
    assert world.roles_in(account) == ALWAYS.union(*GROUPS.values())
    assert providers(world, account).keys() == {MICROSOFT, OURS}
    (by_identity, by_user) = trust(world, account, "DefenderForCloud-DataCollection")
    assert by_identity["Principal"]["Federated"].endswith(f"oidc-provider/{MICROSOFT.removeprefix('https://')}")
    assert by_user["Condition"] == {"StringEquals": {"sts:ExternalId": "external"}}
    (ciem,) = trust(world, account, "DefenderForCloud-OidcCiem")
    assert ciem["Principal"]["Federated"].endswith(f"oidc-provider/{OURS.removeprefix('https://')}")
    assert ciem["Condition"]["StringEquals"][f"sts.windows.net/{TENANT}/:sub"] == STRINGS_GIVEN["CiemSubject"]
    (assumed,) = trust(world, account, "DefenderForCloud-Ciem")
    assert assumed["Principal"]["AWS"] == f"arn:aws:iam::{account}:role/DefenderForCloud-OidcCiem"


def test_everything_switched_off_makes_the_role_of_foundational_cspm_alone(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    deploy(world, account, NOTHING)
    assert world.roles_in(account) == ALWAYS
    assert providers(world, account).keys() == {MICROSOFT}


def test_an_existing_provider_lets_the_roles_be_made_stays_as_it_is_and_outlives_them(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    world.member("iam", account).create_open_id_connect_provider(
        Url=MICROSOFT, ClientIDList=["api://sentinel"], ThumbprintList=["626d44e704d1ceabe3bf0d53397464ac8080142c"]
    )
    failed = world.finished(world.deploy(account, ParameterOverrides=overrides(EVERYTHING)))
    assert failed["Status"] == "SUCCEEDED"  # all may fail
    reason = world.instance(account)["StatusReason"]
    assert diagnose_instance(reason) is PROVIDER_EXISTS
    assert world.roles_in(account) == set()
    deploy(world, account, EVERYTHING | {"IdentityProvider": "existing"})
    assert world.roles_in(account) == ALWAYS.union(*GROUPS.values())
    assert providers(world, account)[MICROSOFT] == ("api://sentinel",)
    (statement,) = trust(world, account, "CspmMonitorAws")
    assert statement["Principal"]["Federated"].endswith(f"oidc-provider/{MICROSOFT.removeprefix('https://')}")
    for _ in range(2):
        world.member("iam", account).add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=statement["Principal"]["Federated"], ClientID="api://defender"
        )
    update(world, account, NOTHING | {"IdentityProvider": "existing"})
    assert world.roles_in(account) == ALWAYS
    assert providers(world, account) == {MICROSOFT: ("api://sentinel", "api://defender")}


def test_groups_come_and_go_with_their_parameters(world: AwsWorld) -> None:
    account = world.cloud.add_account("member")
    deploy(world, account, NOTHING)
    before = providers(world, account)
    steps: tuple[dict[str, str], ...] = (
        {"Servers": "true"},
        {"ContainersRuntime": "true"},
        {"ContainersRuntime": "true", "DataCollectionExternalId": "external"},
        EVERYTHING | STRINGS_GIVEN,
        {},
    )
    for step in steps:
        update(world, account, NOTHING | step)
        wanted = [roles for group, roles in GROUPS.items() if step.get(group) == "true"]
        assert world.roles_in(account) == ALWAYS.union(*wanted)
        if "ContainersRuntime" in step:
            statements = 2 if "DataCollectionExternalId" in step else 1
            assert len(trust(world, account, "DefenderForCloud-DataCollection")) == statements
            assert len(providers(world, account)[MICROSOFT]) == len(before[MICROSOFT]) + 1
    assert providers(world, account) == before


@pytest.mark.parametrize("profile", READY_MADE.values(), ids=lambda profile: profile.name)
def test_an_account_gets_exactly_the_roles_that_its_connector_names(world: AwsWorld, profile: Profile) -> None:
    account = world.cloud.add_account("member")
    deploy(world, account, profile.stack_parameters())
    body = json.dumps(offerings_of(profile, account))
    named = set(re.findall(rf"arn:aws:iam::{account}:role/([\w-]+)", body))
    assert world.roles_in(account) == named - {Role.DATABASE_THREATS}  # its trust is published nowhere
    assert (Role.DATABASE_THREATS in named) is (profile.name == "maximum")
