"""The sample policies: nothing wrong with them for us nor for an editor, and what they decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sandbox.config import SandboxSettings
from sandbox.gcp.deployment import GcpDeployment
from sandbox.policy_upload import sample_policy
from shared.adapters.policy.problems import check_policy, parse_policy
from shared.adapters.policy.schema import policy_schema, rendered_schema
from shared.adapters.policy.yaml_tree import read_yaml
from shared.domain.policy import Decision, decide
from shared.domain.profiles import Plan
from tests.fixtures.read import account, fixture

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "docs" / "samples"
SANDBOX = "sandbox/samples/policy.yaml"
GOOGLE = GcpDeployment(
    audience="",
    service_account="",
    role="",
    identities_role="",
    member="",
    management_number="210987654321",
    management_project="mdc-mgmt-proj-518249130711",
    push_account="",
)
FILES = {
    "shop": (SAMPLES / "policy.shop.yaml").read_bytes(),
    "bank": (SAMPLES / "policy.bank.yaml").read_bytes(),
    "two clouds": (SAMPLES / "policy.two-clouds.yaml").read_bytes(),
    "sandbox": sample_policy("o-exampleorg1", SandboxSettings()),
    "sandbox with projects": sample_policy("o-exampleorg1", SandboxSettings(), GOOGLE),
}
VALIDATOR = jsonschema.Draft202012Validator(policy_schema())


def decided(name: str, /, **facts: Any) -> Decision:
    return decide(parse_policy(FILES[name], name), account(**facts))


def test_the_schema_of_the_documentation_is_the_one_that_the_models_give() -> None:
    committed = (ROOT / "docs" / "policy.schema.json").read_text(encoding="utf-8")
    assert committed == rendered_schema(), "run python -m shared.adapters.policy.schema"
    jsonschema.Draft202012Validator.check_schema(policy_schema())


def test_every_pattern_of_the_schema_is_one_that_editors_have() -> None:
    def patterns(schema: Any) -> list[str]:
        if isinstance(schema, list):
            return [found for item in schema for found in patterns(item)]
        if not isinstance(schema, dict):
            return []
        own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        return own + [found for item in schema.values() for found in patterns(item)]

    assert len(patterns(policy_schema())) > 10
    assert not [pattern for pattern in patterns(policy_schema()) if "(?" in pattern]


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_wrong_with_a_sample_and_nothing_asks_for_a_second_look(name: str) -> None:
    checked = check_policy(FILES[name])
    assert checked.problems == ()
    assert checked.policy is not None


@pytest.mark.parametrize("read", [lambda text: read_yaml(text).value, yaml.safe_load], ids=["our reader", "PyYAML"])
@pytest.mark.parametrize("name", FILES)
def test_an_editor_with_the_schema_finds_nothing_in_a_sample(name: str, read: Any) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(read(FILES[name]))] == []


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("gold: 1", "'gold' was unexpected"),
        ("deletions: {orphaned_machines: maybe}", "'maybe' is not of type 'boolean'"),
        ("mode: both", "is not one of"),
        ("exclusions: {accounts: ['1']}", "does not match"),
        ("sweep: {orphaned_after_days: 1}", "minimum"),
        ("profiles: {own: {plans: [storage]}}", "not valid under any"),
        ("gcp: {organization: o-exampleorg1}", "not valid under any"),
        ("gcp: {organization: '1', mode: native}", "not valid under any"),
    ],
)
def test_an_editor_with_the_schema_finds_a_mistake(rest: str, said: str) -> None:
    document = yaml.safe_load(fixture("policies/smallest.yaml")) | yaml.safe_load(rest)
    assert said in " ".join(error.message for error in VALIDATOR.iter_errors(document))


@pytest.mark.parametrize("path", [*sorted(SAMPLES.glob("policy.*.yaml")), ROOT / SANDBOX], ids=lambda path: path.name)
def test_the_first_line_of_a_sample_leads_an_editor_to_the_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    start, relative = first.split("$schema=")
    assert start == "# yaml-language-server: "
    assert (path.parent / relative).resolve() == ROOT / "docs" / "policy.schema.json"


def test_the_shop_pays_for_production_only() -> None:
    production = decided("shop", ou_path="/Production/Till")
    assert (production.profile.plans, production.rule) == (frozenset(Plan), 1)
    assert decided("shop", ou_path="/Office").profile.plans == {Plan.FOUNDATIONAL_CSPM}
    assert decided("shop", ou_path="/Sandbox/Anna").reason == "excluded by OU path /Sandbox"


@pytest.mark.parametrize(
    ("facts", "rule", "profile", "group"),
    [
        ({"ou_path": "/Workloads/Production/Payments"}, "payments", "payments", "rg-defender-payments"),
        ({"ou_path": "/Workloads/Americas/Cards/Issuing"}, "payments", "payments", "rg-defender-payments"),
        (
            {"tags": {"criticality": "vital", "environment": "production"}},
            "critical by tag",
            "production",
            "rg-defender-group",
        ),
        (
            {"ou_path": "/Workloads/Americas/Loans", "tags": {"environment": "prod"}},
            "production in the Americas",
            "production-us",
            "rg-defender-americas",
        ),
        (
            {"ou_path": "/Workloads/Americas/Loans", "tags": {"environment": "test"}},
            "",
            "baseline",
            "rg-defender-group",
        ),
        ({"ou_path": "/Workloads/Production/Loans"}, "production", "production", "rg-defender-group"),
        ({"ou_path": "/Data", "name": "risk-warehouse"}, "data platform", "data", "rg-defender-group"),
        ({"ou_path": "/", "account_id": "111122223333"}, "shared services", "production", "rg-defender-group"),
        ({"ou_path": "/Office"}, "", "baseline", "rg-defender-group"),
    ],
)
def test_the_bank_gives_each_account_its_profile_and_place(
    facts: dict[str, Any], rule: str, profile: str, group: str
) -> None:
    policy = parse_policy(FILES["bank"], "bank")
    decision = decide(policy, account(**{"ou_path": "/", **facts}))
    name = policy.rules[decision.rule - 1].name if decision.rule else ""
    assert (name, decision.profile.name, decision.target.resource_group) == (rule, profile, group)


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"ou_path": "/Quarantine/Incident"}, "OU path /Quarantine"),
        ({"ou_path": "/Sandbox/Anna/Throwaway"}, "OU path /Sandbox/*/Throwaway"),
        ({"account_id": "098765432109"}, "account id 098765432109"),
        ({"name": "training-07", "ou_path": "/Workloads/Production"}, "name training-*"),
        ({"tags": {"defender": "exempt"}, "ou_path": "/Workloads/Payments"}, "tag defender=exempt"),
    ],
)
def test_the_bank_excludes_before_any_rule(facts: dict[str, Any], why: str) -> None:
    assert decided("bank", **facts).reason == f"excluded by {why}"


def test_the_bank_s_own_profiles_keep_what_they_extend() -> None:
    payments = decided("bank", ou_path="/Payments").profile
    assert payments.plans == set(Plan)
    assert (payments.scan_interval_hours, payments.regions) == (12, ("eu-central-1", "eu-west-1"))
    assert payments.agentless_scanning.exclusion_tags == {"defender-scan": "never"}
    assert payments.arc.proxy == "http://proxy.bank.example:3128"
    assert payments.arc.private_link_scope.endswith("/privateLinkScopes/pls-arc")
    assert payments.containers is not None
    assert payments.containers.audit_retention_days == 365
    assert [rule.owner for rule in payments.governance] == ["team", "payment-security@bank.example"]
    assert payments.standards == ("AWS Foundational Security Best Practices", "PCI DSS 4.0.1")
    assert decided("bank", ou_path="/Workloads/Americas", tags={"environment": "prod"}).profile.regions == (
        "us-east-1",
        "us-east-2",
    )
    baseline = decided("bank", ou_path="/Office").profile
    assert baseline.plans == {Plan.FOUNDATIONAL_CSPM, Plan.SERVERS}
    assert not baseline.arc.enabled
