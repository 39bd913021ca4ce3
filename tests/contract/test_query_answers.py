"""Questions through the real adapter, and what their answers are made of against evidence that we did not write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.query_files import text_of
from sandbox.azure.directory import OPERATOR
from sandbox.azure.posture import STANDARDS, standard_state_of, vulnerability_of
from sandbox.azure.seeding import AzureSeed, plant
from shared.adapters.resource_graph.answers import GraphAnswers
from shared.adapters.resource_graph.query import ResourceGraph
from shared.application.ask import ask
from shared.domain.queries import BY_NAME, Narrowing, narrowed
from shared.errors import RollcallError, TransientError
from tests.contract.conftest import FixedCredential
from tests.fakes.answering_azure import AnsweringAzure, AnyToken
from tests.fakes.azure_world import World
from tests.fakes.clock import FakeClock

EXAMPLES = "specs/specification/security/resource-manager/Microsoft.Security/preview/2019-01-01-preview/examples"


def answers_of(world: World, identity: str = OPERATOR) -> GraphAnswers:
    credential = FixedCredential(world, identity)
    return GraphAnswers(ResourceGraph(credential, arm_endpoint=world.azure.arm_url))


def seed_of(world: World, account_id: str) -> AzureSeed:
    """What the sandbox is told over its interface: JSON."""
    connector = f"{world.group}/providers/Microsoft.Security/securityConnectors/aws-{account_id}"
    image = f"{connector}/securityentitydata/aws-ecr-repository-shop-us-east-1"
    properties = {"hierarchyIdentifier": account_id, "environmentName": "AWS"}
    of_image = {"connector": connector, "resource": "ecr-repository-shop-us-east-1", "resource_type": "repository"}
    return AzureSeed.model_validate_json(
        json.dumps(
            {
                "resources": [
                    {
                        **{"id": connector, "name": f"aws-{account_id}", "location": "westeurope", "tags": {}},
                        **{"type": "Microsoft.Security/securityConnectors", "properties": properties},
                    }
                ],
                "assessments": [of_image | {"key": "k", "status": "Unhealthy", "severity": "High", "title": "t"}],
                "vulnerabilities": [{"resource": image, "cve": "CVE-1"}, {"resource": image, "cve": "CVE-2"}],
                "attack_paths": [{"title": account_id, "entities": ["", image]}],
                "compliance": [{"name": account_id, "passed": 3, "failed": 1}],
            }
        )
    )


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("recommendations", {"severity": "high", "recommendation": "t", "accounts": 1, "resources": 1}),
        ("discovered-resources", {"cloud": "aws", "resource_type": "repository", "resources": 1}),
        ("vulnerabilities", {"severity": "high", "findings": 2, "resources": 1}),
        ("attack-paths", {"clouds": 1, "aws": 1, "azure": 0, "risk": "high"}),
        ("inventory", {"resource": "aws-ecr-repository-shop-us-east-1", "unhealthy": 1, "grave": 1}),
    ],
)
def test_a_seed_is_an_answer(azure_ports: World, account_id: str, name: str, row: dict[str, Any]) -> None:
    plant(azure_ports.azure, seed_of(azure_ports, account_id))
    question = BY_NAME[name]
    text = narrowed(text_of(question), question, {Narrowing.ACCOUNT: account_id})
    answer = ask(question, text, answers_of(azure_ports))
    [found] = answer.rows
    assert row.items() <= found.items()
    assert (answer.subscriptions, answer.whole) == (1, True)


def test_standards_have_no_account_and_are_found_by_name(azure_ports: World, account_id: str) -> None:
    plant(azure_ports.azure, seed_of(azure_ports, account_id))
    question = BY_NAME["compliance"]
    rows = ask(question, text_of(question), answers_of(azure_ports)).rows
    [found] = [row for row in rows if row["standard"] == account_id]
    assert (found["passed"], found["failed"], found["state"]) == (3, 1, "failed")


def test_a_spent_quota_is_an_error_and_no_part_of_an_answer(azure_ports: World) -> None:
    question, store = BY_NAME["tile-health"], answers_of(azure_ports)
    with pytest.raises(TransientError):
        for _ in range(20):
            ask(question, text_of(question), store)


LIMIT = {"x-ms-tenant-subscription-limit-hit": "true"}


@pytest.mark.parametrize(("headers", "whole"), [(LIMIT, False), ({}, True)], ids=["limit hit", "whole"])
def test_a_tenant_with_too_many_subscriptions_is_told(
    answers: AnsweringAzure, headers: dict[str, str], whole: bool
) -> None:
    row = {"id": "s", "subscriptionId": "s", "health": "Healthy", "connectors": 1}
    answers.plan({"status": 200, "headers": headers, "body": {"data": [row], "resultTruncated": "false"}})
    question = BY_NAME["tile-health"]
    answer = ask(question, text_of(question), GraphAnswers(ResourceGraph(AnyToken(), arm_endpoint=answers.url)))
    assert answer.whole is whole
    assert [dict(row) for row in answer.rows] == [{"health": "Healthy", "connectors": 1}]


def test_a_query_that_the_service_refuses_is_one_of_our_errors(answers: AnsweringAzure) -> None:
    details = [{"code": "InvalidQuery", "message": "m"}, {"code": "ParserFailure", "message": "ParserFailure at 3"}]
    answers.plan({"status": 400, "body": {"error": {"code": "BadRequest", "message": "m", "details": details}}})
    question = BY_NAME["tile-health"]
    store = GraphAnswers(ResourceGraph(AnyToken(), arm_endpoint=answers.url, patient=FakeClock()))
    with pytest.raises(RollcallError) as refused:
        ask(question, text_of(question), store)
    assert "(ParserFailure: ParserFailure at 3)" in refused.value.reason


@pytest.mark.parametrize("details", [None, [], "x", [1], [{"code": None}], {}])
def test_details_of_another_form_break_no_error(answers: AnsweringAzure, details: Any) -> None:
    answers.plan({"status": 400, "body": {"error": {"code": "BadRequest", "message": "m", "details": details}}})
    store = GraphAnswers(ResourceGraph(AnyToken(), arm_endpoint=answers.url))
    with pytest.raises(RollcallError, match="400 BadRequest m"):
        store.subscriptions()


def test_a_standard_s_state_looks_as_a_recorded_one(evidence: Path) -> None:
    path = evidence / "reference/recordings/security-regulatory-standards-list-200.json"
    for recorded in json.loads(path.read_bytes())["response"]["body"]["value"]:
        subscription_id = recorded["id"].split("/")[2]
        counts = [recorded["properties"][f"{each}Controls"] for each in ("passed", "failed", "skipped", "unsupported")]
        state = recorded["properties"]["state"]
        assert standard_state_of(subscription_id, recorded["name"], state=state, controls=counts) == recorded
        assert recorded["type"] == STANDARDS


def test_a_vulnerability_has_the_keys_of_the_specification_s_example(evidence: Path) -> None:
    example = json.loads((evidence / EXAMPLES / "SubAssessments/GetSubAssessment_example.json").read_bytes())
    wanted = example["responses"]["200"]["body"]
    parts = {"key": "k", "cve": "CVE-1", "severity": "High", "status": "Unhealthy", "source": "AWS"}
    planted = vulnerability_of("/subscriptions/s", assessed="ServerVulnerability", **parts)  # type: ignore[arg-type]  # literals
    assert planted.keys() == wanted.keys()
    assert planted["type"] == wanted["type"]
    assert planted["properties"].keys() <= wanted["properties"].keys()
    assert planted["properties"]["status"].keys() == wanted["properties"]["status"].keys()
    assert planted["properties"]["resourceDetails"].keys() == wanted["properties"]["resourceDetails"].keys()
    assert planted["id"].split("/")[-4::2] == wanted["id"].split("/")[-4::2]
