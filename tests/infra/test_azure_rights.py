"""Who may do what after infra/azure: ids of roles, their scopes, and the custom roles against what the code needs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.azure.roles import ROLES
from sandbox.deployment import REPOSITORY
from shared.adapters.policy.problems import parse_policy
from shared.domain.policy import Deletions, OnMissingOwner, Policy, Prechecks
from shared.domain.prechecks import ASSIGN_ROLES, Permission
from shared.domain.sweep.rights import DELETE_MACHINES, missing_rights
from tests.infra.azure_module import FILES, MODULE, of_kind, parsed, the, variable, words

IDS = {role.id: name for name, role in ROLES.items()} | {
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",  # Azure built-in roles
    "4633458b-17de-408a-874b-0445c86b69e6": "Key Vault Secrets User",
}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
READER = Permission(actions=("*/read",))
FUNCTIONS, SENDER, OPERATORS = "functionsPrincipalId", "senderPrincipalId", "operatorsGroupId"


def role_variables(file: str) -> dict[str, str]:
    """Variable → name of the role whose id it has."""
    found = parsed(file).get("variables", {})
    return {name: IDS[str(body["value"])] for name, body in found.items() if str(body["value"]) in IDS}


def grants() -> set[tuple[str, str, str]]:
    """(who, role, scope) of every assignment; a loop's roles one by one."""
    found: set[tuple[str, str, str]] = set()
    for each in of_kind("Microsoft.Authorization/roleAssignments"):
        names = role_variables(each.file)
        role = [word for word in words(each.properties["roleDefinitionId"]) if word != "id"][-1]
        if role == "role":  # a loop over a variable
            [loop] = re.findall(rf"resource {each.name} .*for role in (\w+)", (MODULE / each.file).read_text("utf-8"))
            chosen = variable(each.file, loop)
            roles = chosen if isinstance(chosen, list) else variable(each.file, list(words(chosen))[-1])
        else:
            roles = [role]
        *_, scope = words(each.body.get("scope", Path(each.file).stem))
        who = str(each.properties["principalId"])
        found |= {(who, names.get(str(name), str(name)), scope) for name in roles}
    return found


def test_every_id_of_a_role_is_the_one_of_its_name() -> None:
    for file in FILES:
        for name, role in role_variables(file).items():
            said = re.sub(r"[^a-z]", "", name.lower())
            assert set(re.sub(r"([A-Z])", r" \1", name).lower().removesuffix(" role").split()) <= set(
                role.lower().split()
            ), (said, role)
        assert set(_ID.findall((MODULE / file).read_text("utf-8"))) <= set(IDS)


def test_the_ids_are_those_of_the_evidence(evidence: Path) -> None:
    table = (evidence / "reference" / "azure.md").read_text(encoding="utf-8")
    known = dict(re.findall(rf"^\| ([A-Z][A-Za-z ]+) \| ({_ID.pattern}) \|", table, re.MULTILINE))
    used = {role for file in FILES for role in role_variables(file).values()}
    assert len(used & set(known)) >= 5
    assert {role: known[role] for role in used & set(known)} == {
        name: role_id for role_id, name in IDS.items() if name in used & set(known)
    }


def test_nobody_is_given_more_than_this() -> None:
    queue_roles = {"Storage Queue Data Contributor", "Storage Table Data Contributor"}
    assert grants() == {
        (FUNCTIONS, "Reader", "tenant-reader"),
        (FUNCTIONS, "Key Vault Secrets User", "vault"),
        (FUNCTIONS, "Security Admin", "connectors"),
        (FUNCTIONS, "registrationRole", "connectors"),
        ("principalId", "roleDefinitionId", "group-assignment"),  # the role of connectors, in their resource group
        (FUNCTIONS, "Storage Blob Data Owner", "account"),  # of the host
        *((FUNCTIONS, role, "account") for role in queue_roles),
        (FUNCTIONS, "Storage Blob Data Reader", "policyContainer"),
        (FUNCTIONS, "Storage Blob Data Contributor", "sweepsContainer"),
        (FUNCTIONS, "Monitoring Metrics Publisher", "insights"),
        (SENDER, "Storage Queue Data Message Sender", "queues"),
        (OPERATORS, "Storage Queue Data Contributor", "account"),
        (OPERATORS, "Storage Table Data Reader", "account"),
        (OPERATORS, "Storage Blob Data Contributor", "policyContainer"),
        (OPERATORS, "Storage Blob Data Reader", "sweepsContainer"),
    }
    chosen = the("modules/intake-storage.bicep", "senderRole").body["scope"]["operator"]["operands"]
    assert variable("modules/intake-storage.bicep", "queueNames")[chosen["operand_2"]] == "onboarding"


def test_security_admin_is_only_for_who_asks_for_it_and_operators_only_where_there_are_some() -> None:
    assert the("connectors.bicep", "admin").condition == "securityAdmin"
    for name in ("operatorsPublishPolicy", "operatorsReadSweeps"):
        assert OPERATORS in set(words(the("modules/intake-storage.bicep", name).condition))
    assert OPERATORS in set(words(variable("modules/intake-storage.bicep", "operatorsOfAccount")))


def actions(*variables: str) -> tuple[str, ...]:
    return tuple(action for each in variables for action in variable("connectors.bicep", each))


@pytest.fixture
def policy() -> Policy:
    """With standards, governance rules, Arc, full Defender CSPM, and deletions."""
    found = parse_policy((REPOSITORY / "docs" / "samples" / "policy.bank.yaml").read_bytes(), "policy.bank.yaml")
    return replace(
        found,
        prechecks=Prechecks(owner_features=OnMissingOwner.REFUSE),
        deletions=Deletions(orphaned_machines=True),
    )


def scopes(policy: Policy) -> set[str]:
    targets = [policy.target, *(rule.target for rule in policy.rules if rule.target)]
    return {f"/subscriptions/{each.subscription_id}/resourceGroups/{each.resource_group}" for each in targets}


def test_role_of_connectors_and_reader_are_all_that_onboarding_and_sweep_need(policy: Policy) -> None:
    everything = Permission(actions=actions("connectorActions", "machineActions", "ownerActions"))
    for scope in scopes(policy):
        assert missing_rights(policy, scope, (READER, everything)) == ()


def test_what_a_parameter_switches_on_is_what_is_missing_without_it(policy: Policy) -> None:
    without = Permission(actions=actions("connectorActions"))
    missing = {each for scope in scopes(policy) for each in missing_rights(policy, scope, (READER, without))}
    assert missing == {DELETE_MACHINES, ASSIGN_ROLES}
    assert set(actions("machineActions", "ownerActions")) - {"Microsoft.HybridCompute/machines/read"} == missing
    [permission] = the("connectors.bicep", "connectorsRole").properties["permissions"]
    said = list(words(permission["actions"]))
    assert said.index("deleteOrphanedMachines") < said.index("machineActions") < said.index("assignRoles")
    assert "connectorActions" in said


@pytest.mark.parametrize("action", actions("connectorActions"))
def test_every_action_of_the_role_is_one_that_the_code_asks_for(action: str, policy: Policy) -> None:
    adapters = "\n".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "shared" / "adapters" / "defender").glob("*.py")
    )
    kind = action.split("/")[1]
    assert kind in adapters or kind == "securityConnectors"
    assert "*" not in action
    if action.endswith(("/write", "/delete")):
        rest = Permission(actions=tuple(each for each in actions("connectorActions") if each != action))
        machines = Permission(actions=actions("machineActions", "ownerActions"))
        assert any(missing_rights(policy, scope, (READER, rest, machines)) == (action,) for scope in scopes(policy))


def test_registering_is_all_that_is_allowed_in_the_whole_subscription() -> None:
    [permission] = the("connectors.bicep", "registrationRole").properties["permissions"]
    assert permission["actions"] == ["Microsoft.Security/register/action"]
    adapter = (REPOSITORY / "shared" / "adapters" / "azure" / "registration.py").read_text(encoding="utf-8")
    assert permission["actions"][0] in adapter


def test_names_of_custom_roles_differ_from_subscription_to_subscription() -> None:
    roles = of_kind("Microsoft.Authorization/roleDefinitions")
    assert len({each.properties["roleName"] for each in roles}) == len(roles) == 2
    assert all("${subscription().subscriptionId}" in each.properties["roleName"] for each in roles)
