"""What the simulated Azure answers before anything is connected: state, registration, plans, permissions, locks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import requests

from sandbox.azure.directory import FUNCTIONS, OPERATOR
from sandbox.azure.seeding import AzureSeed, plant
from sandbox.faults import Fault, FaultKind
from tests.fakes.azure_world import World

PRICINGS, LOCKS, PERMISSIONS, CLASSIC = "2024-01-01", "2020-05-01", "2022-04-01", "2020-01-01-preview"
CONNECTORS = "2024-08-01-preview"
NAMES = {
    *("Api", "AppServices", "Arm", "CloudPosture", "Containers", "CosmosDbs", "KeyVaults"),
    *("OpenSourceRelationalDatabases", "SqlServerVirtualMachines", "SqlServers", "StorageAccounts", "VirtualMachines"),
}


@pytest.fixture
def world(azure_ports: World) -> Iterator[World]:
    """The shared world, left as it was found."""
    azure, gap = azure_ports.azure, azure_ports.azure.pricings.gap_seconds
    azure.pricings.gap_seconds = 0
    yield azure_ports
    azure.pricings.gap_seconds = gap
    azure.classic_connectors.clear()
    seed(azure_ports, subscriptions=[{"state": "Enabled", "registered": ["Microsoft.Security"]}])
    for kind in (
        "Microsoft.Security/pricings",
        "Microsoft.Authorization/locks",
        "Microsoft.Security/securityConnectors",
    ):
        for each in azure.resources.of_type(kind):
            azure.resources.delete(each["id"])


def seed(world: World, **parts: Any) -> None:
    plant(world.azure, AzureSeed.model_validate(parts))


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def plan(world: World) -> Callable[..., requests.Response]:
    def ask(method: str, name: str = "", body: Any = None, **options: Any) -> requests.Response:
        path = f"{world.subscription}/providers/Microsoft.Security/pricings" + (f"/{name}" if name else "")
        return world.ask(method, path, body, version=PRICINGS, **options)

    return ask


def standard(**properties: Any) -> dict[str, Any]:
    return {"properties": {"pricingTier": "Standard"} | properties}


def test_every_plan_is_free_at_first(plan: Callable[..., requests.Response]) -> None:
    listed = plan("GET").json()
    assert list(listed) == ["value"]
    assert {each["name"] for each in listed["value"]} >= NAMES
    assert {each["properties"]["pricingTier"] for each in listed["value"]} == {"Free"}
    assert plan("GET", "cloudposture").json() in listed["value"]
    assert [each["name"] for each in plan("GET", filter="name in (KeyVaults,Arm)").json()["value"]] == [
        "KeyVaults",
        "Arm",
    ]


def test_a_plan_s_answer_is_no_echo(plan: Callable[..., requests.Response]) -> None:
    sent = {"properties": {"pricingTier": "standard"}}
    first, second = plan("PUT", "VirtualMachines", sent), plan("PUT", "VirtualMachines", sent)
    properties = first.json()["properties"]
    assert (first.status_code, second.status_code) == (200, 200)
    assert (properties["pricingTier"], properties["subPlan"]) == ("Standard", "P2")
    assert [each["name"] for each in properties["extensions"]] == ["MdeDesignatedSubscription", "AgentlessVmScanning"]
    assert [each.get("operationStatus", {}).get("code") for each in properties["extensions"]] == [None, "Succeeded"]
    assert second.json()["properties"]["enablementTime"] == properties["enablementTime"]
    read = plan("GET", "VirtualMachines").json()["properties"]
    assert all("operationStatus" not in each for each in read["extensions"])
    assert (
        "extensions" not in plan("PUT", "VirtualMachines", {"properties": {"pricingTier": "Free"}}).json()["properties"]
    )


def test_a_plan_keeps_what_its_extensions_were_told_before(plan: Callable[..., requests.Response]) -> None:
    tags = {"ExclusionTags": '[{"key":"A","value":"B"}]'}
    scanning = {"name": "AgentlessVmScanning", "isEnabled": "True"}
    plan("PUT", "VirtualMachines", standard(extensions=[scanning | {"additionalExtensionProperties": tags}]))
    after = plan("PUT", "VirtualMachines", standard(extensions=[scanning])).json()
    assert after["properties"]["extensions"][1]["additionalExtensionProperties"] == tags
    p1 = plan("PUT", "VirtualMachines", standard(subPlan="P1")).json()["properties"]
    assert [each["name"] for each in p1["extensions"]] == ["MdeDesignatedSubscription"]


def test_two_changes_of_plans_need_time_between_them(plan: Callable[..., requests.Response], world: World) -> None:
    assert plan("PUT", "KeyVaults", standard()).status_code == 200
    world.azure.pricings.gap_seconds = 60
    assert code(plan("PUT", "Arm", standard())) == (409, "Conflict")
    assert plan("GET", "Arm").json()["properties"]["pricingTier"] == "Free"
    world.azure.pricings.gap_seconds = 0
    assert plan("PUT", "Arm", standard()).status_code == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("Servers", standard()),
        ("KubernetesService", standard()),
        ("KeyVaults", {"properties": {"pricingTier": "Gold"}}),
        ("KeyVaults", {}),
        ("KeyVaults", standard(extensions=[{"name": "SensitiveDataDiscovery", "isEnabled": "True"}])),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: Callable[..., requests.Response], name: str, body: Any) -> None:
    assert code(plan("PUT", name, body)) == (400, "BadRequest")


def test_plans_are_read_by_many_and_written_by_few(plan: Callable[..., requests.Response]) -> None:
    assert plan("GET", "Arm", identity=OPERATOR).status_code == 200
    assert code(plan("PUT", "Arm", standard(), identity=OPERATOR)) == (403, "AuthorizationFailed")


def test_new_operations_are_journalled_and_struck_like_all_others(
    plan: Callable[..., requests.Response], world: World
) -> None:
    before = len(world.journal)
    world.azure.faults.plant(Fault(service="arm", operation="PutPricing", kind=FaultKind.THROTTLE, retry_after=3))
    struck, done = plan("PUT", "Arm", standard()), plan("PUT", "Arm", standard())
    assert (*code(struck), struck.headers["Retry-After"]) == (429, "ResourceRequestsThrottled", "3")
    assert done.status_code == 200
    entries = world.journal.entries(since=before)
    assert [(each.operation, each.identity, each.status) for each in entries] == [
        ("arm:PutPricing", FUNCTIONS, 429),
        ("arm:PutPricing", FUNCTIONS, 200),
    ]
    assert entries[1].body == standard()


def test_plans_fit_the_openapi_file(plan: Callable[..., requests.Response], checker: ModuleType) -> None:
    def problems(body: Any, definition: str) -> list[str]:
        found: list[str] = checker.problems(
            body, file="pricings", version=PRICINGS, definition=definition, request=False
        )
        return found

    for name in ("VirtualMachines", "CloudPosture", "StorageAccounts", "Arm"):
        assert problems(plan("PUT", name, standard(enforce="True")).json(), "Pricing") == []
    assert problems(plan("GET").json(), "PricingList") == []
    examples = checker.SPECS.rglob(f"{PRICINGS}/examples/Pricings/PutPricing*.json")
    sent = [checker._load(path)["parameters"] for path in examples]
    assert len(sent) == 3
    for each in sent:
        assert plan("PUT", each["pricingName"], each["pricing"]).status_code == 200


def probe(world: World, scope: str, identity: str = FUNCTIONS) -> requests.Response:
    path = f"{scope}/providers/Microsoft.Authorization/permissions"
    return world.ask("GET", path, version=PERMISSIONS, identity=identity)


def test_the_probe_says_what_the_caller_s_roles_give(world: World) -> None:
    assert [each["actions"] for each in probe(world, world.group, OPERATOR).json()["value"]] == [["*/read"]]
    seed(world, roles=[{"identity": OPERATOR, "role": "Contributor", "scope": world.group}])
    group, subscription = (probe(world, scope, OPERATOR).json() for scope in (world.group, world.subscription))
    assert [list(each) for each in group["value"]] == [["actions", "notActions", "dataActions", "notDataActions"]] * 2
    assert group["value"][1]["notActions"] == ["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"]
    assert len(subscription["value"]) == 1
    seed(world, roles=[{"identity": OPERATOR, "role": "Contributor", "scope": world.group, "action": "revoke"}])
    assert len(probe(world, world.group, OPERATOR).json()["value"]) == 1


def test_an_owner_may_write_locks_and_a_user_access_administrator_too(world: World) -> None:
    path = f"{world.group}/providers/Microsoft.Authorization/locks/mine"
    body = {"properties": {"level": "CanNotDelete", "notes": "keep"}}
    assert code(world.ask("PUT", path, body, version=LOCKS)) == (403, "AuthorizationFailed")
    for role in ("Owner", "User Access Administrator"):
        seed(world, roles=[{"identity": FUNCTIONS, "role": role}])
        statuses = [world.ask(method, path, body, version=LOCKS).status_code for method in ("PUT", "PUT", "DELETE")]
        seed(world, roles=[{"identity": FUNCTIONS, "role": role, "action": "revoke"}])
        assert statuses == [201, 200, 200]
    with pytest.raises(LookupError):
        seed(world, roles=[{"identity": FUNCTIONS, "role": "Emperor"}])


@pytest.fixture
def connector(world: World, account_id: str) -> str:
    """The path of a connector that exists."""
    world.prepare(account_id)
    path = f"{world.group}/providers/Microsoft.Security/securityConnectors/aws-{account_id}"
    assert world.ask("PUT", path, connector_body(account_id), version=CONNECTORS).status_code == 201
    return path


def connector_body(account_id: str) -> dict[str, Any]:
    role = f"arn:aws:iam::{account_id}:role/CspmMonitorAws"
    return {
        "location": "westeurope",
        "properties": {
            "hierarchyIdentifier": account_id,
            "environmentName": "AWS",
            "environmentData": {"environmentType": "AwsAccount", "scanInterval": 12},
            "offerings": [{"offeringType": "CspmMonitorAws", "nativeCloudConnection": {"cloudRoleArn": role}}],
        },
    }


def locks_of(world: World, scope: str, **query: str) -> list[str]:
    answer = world.ask("GET", f"{scope}/providers/Microsoft.Authorization/locks", version=LOCKS, **query)
    assert answer.status_code == 200, answer.text
    return sorted(each["name"] for each in answer.json()["value"])


def test_locks_are_seen_from_below_and_from_above(world: World, connector: str) -> None:
    scopes = {"a-subscription": world.subscription, "b-group": world.group, "c-connector": connector}
    seed(world, locks=[{"scope": scope, "level": "CanNotDelete", "name": name} for name, scope in scopes.items()])
    for scope in scopes.values():
        assert locks_of(world, scope) == list(scopes)
    assert locks_of(world, connector, filter="atScope()") == list(scopes)
    assert locks_of(world, world.group, filter="atScope()") == ["a-subscription", "b-group"]
    assert world.ask("GET", f"{connector}x/providers/Microsoft.Authorization/locks", version=LOCKS).status_code == 404
    one = world.ask("GET", f"{connector}/providers/Microsoft.Authorization/locks/c-connector", version="2016-09-01")
    assert one.json()["properties"] == {"level": "CanNotDelete"}
    assert world.azure.resources.find(f"{connector}/providers/Microsoft.Authorization/locks/c-connector")


@pytest.mark.parametrize("level", ["CanNotDelete", "ReadOnly"])
@pytest.mark.parametrize("where", ["subscription", "group", "connector"])
def test_a_lock_holds_below_its_scope(world: World, connector: str, account_id: str, level: str, where: str) -> None:
    scope = {"subscription": world.subscription, "group": world.group, "connector": connector}[where]
    seed(world, locks=[{"scope": scope, "level": level}])
    body = connector_body(account_id)
    changes = [world.ask(method, connector, body, version=CONNECTORS) for method in ("PUT", "PATCH")]
    deletion = world.ask("DELETE", connector, version=CONNECTORS)
    assert code(deletion) == (409, "ScopeLocked")
    assert deletion.json()["error"]["message"] == (
        f"The scope '{connector}' cannot perform delete operation because following scope(s) are locked: '{scope}'. "
        "Please remove the lock and try again."
    )
    if level == "ReadOnly":
        assert [code(each) for each in changes] == [(409, "ScopeLocked")] * 2
        assert "cannot perform write operation" in changes[0].json()["error"]["message"]
    else:
        assert [each.status_code for each in changes] == [200, 200]
    world.azure.locks.remove(scope, "seeded")
    assert world.ask("DELETE", connector, version=CONNECTORS).status_code == 204


def test_a_deleted_connector_takes_its_locks_with_it(world: World, connector: str) -> None:
    seed(world, locks=[{"scope": connector, "level": "CanNotDelete"}])
    world.azure.resources.delete(connector)
    assert locks_of(world, world.subscription) == []


def classic(world: World) -> requests.Response:
    path = f"{world.subscription}/providers/Microsoft.Security/connectors"
    return world.ask("GET", path, version=CLASSIC)


def test_classic_connectors_are_gone_unless_they_are_planted(world: World) -> None:
    assert code(classic(world)) == (404, "InvalidResourceType")
    seed(world, classic_answer="gone")
    assert classic(world).status_code == 410
    seed(world, classic_answer="list")
    assert classic(world).json() == {"value": []}
    kinds = {"012345678901": "awsCreds", "210987654321": "awsAssumeRole"}
    parts = [
        {
            "name": f"old-{account}",
            "authentication_details": {"authenticationType": kind, "accountId": account, "awsSecretAccessKey": "x"},
        }
        for account, kind in kinds.items()
    ]
    seed(world, classic_connectors=parts)
    found = [each["properties"]["authenticationDetails"] for each in classic(world).json()["value"]]
    assert {each["accountId"]: each["authenticationType"] for each in found} == kinds
    assert "awsSecretAccessKey" not in str(found)


def subscription_state(world: World) -> str:
    return str(world.ask("GET", world.subscription, version="2022-12-01").json()["state"])


@pytest.mark.parametrize("state", ["Enabled", "PastDue", "Warned", "Disabled"])
def test_only_an_active_subscription_is_written_to(world: World, connector: str, account_id: str, state: str) -> None:
    seed(world, subscriptions=[{"state": state}])
    assert subscription_state(world) == state
    assert world.ask("GET", connector, version=CONNECTORS).status_code == 200
    answer = world.ask("PUT", connector, connector_body(account_id), version=CONNECTORS)
    if state in {"Enabled", "PastDue"}:
        assert answer.status_code == 200
    else:
        assert code(answer) == (409, "ReadOnlyDisabledSubscription")
    assert world.ask("DELETE", connector, version=CONNECTORS).status_code == 204


def test_a_deleted_subscription_has_nothing_left(world: World, connector: str) -> None:
    seed(world, subscriptions=[{"state": "Deleted"}])
    assert subscription_state(world) == "Deleted"
    assert code(world.ask("GET", connector, version=CONNECTORS)) == (404, "SubscriptionNotFound")


def test_the_registration_can_be_taken_and_given_back(world: World, connector: str) -> None:
    provider = f"{world.subscription}/providers/Microsoft.Security"
    seed(world, subscriptions=[{"unregistered": ["Microsoft.Security"]}])
    assert world.ask("GET", provider, version="2021-04-01").json()["registrationState"] == "NotRegistered"
    assert code(world.ask("GET", connector, version=CONNECTORS)) == (409, "MissingSubscriptionRegistration")
    assert world.ask("POST", f"{provider}/register", version="2021-04-01").status_code == 200
    assert world.ask("GET", connector, version=CONNECTORS).status_code == 200
