"""Each question of docs/queries that Resource Graph answers, asked of the simulated one: answers follow the data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.query_files import FOLDER, text_of
from sandbox.azure.kusto import parse
from sandbox.azure.posture import attack_path_of
from shared.application.ask import Answer, ask
from shared.domain.queries import BY_NAME, MARK, QUESTIONS, Narrowing, Question, Store, narrowed
from shared.domain.sweep.kinds import ARC_ASSESSMENT
from shared.errors import PermanentError
from tests.fakes.posture import (
    ACCOUNT,
    GROUP,
    OTHER_ACCOUNT,
    PROJECT,
    SUBSCRIPTION,
    PostureTenant,
    connector_of,
)

ROOT = Path(__file__).parents[2]
COLUMNS = frozenset(
    {"id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "tags", "properties"}
)
OF_GRAPH = [each for each in QUESTIONS if each.store is Store.GRAPH]
VALUES = {Narrowing.ACCOUNT: ACCOUNT, Narrowing.PROVIDER: "aws", Narrowing.SEVERITY: "high"}


@pytest.fixture
def tenant() -> PostureTenant:
    return PostureTenant()


def asked(tenant: PostureTenant, name: str, **wanted: str) -> Answer:
    question = BY_NAME[name]
    text = narrowed(text_of(question), question, {Narrowing(each): value for each, value in wanted.items()})
    return ask(question, text, tenant)


def cells(tenant: PostureTenant, name: str, **wanted: str) -> list[tuple[Any, ...]]:
    """The columns that people read, row by row."""
    answer = asked(tenant, name, **wanted)
    return [tuple(row[column] for column in answer.question.columns) for row in answer.rows]


# --- files and catalogue


def test_every_file_is_a_question_and_every_question_a_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.kql")} == set(BY_NAME)
    assert len(BY_NAME) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda each: each.name)
def test_a_file_says_what_it_asks_for_which_row_and_where_to_narrow_it_down(question: Question) -> None:
    lines = text_of(question).splitlines()
    assert lines[0].startswith("// ")
    said = {int(row) for line in lines[:2] if "Row" in line for row in re.findall(r"\d+", line.partition(".")[0])}
    assert said
    assert said <= set(question.rows)
    marks = sum(line.lstrip().startswith(MARK) for line in lines)
    assert marks == 1 or (marks == 0 and not question.narrowed)
    assert sum(line.startswith("| order by ") for line in lines) == 1
    assert lines[-1].startswith("| order by ")
    assert max(map(len, lines)) <= 160


@pytest.mark.parametrize("question", OF_GRAPH, ids=lambda each: each.name)
def test_a_query_of_resource_graph_has_no_more_than_it_takes(question: Question) -> None:
    """One join over tables; nothing but the operators that the simulator knows, which refuses all others."""
    text = text_of(question)
    assert text.count("| join ") <= 1
    assert parse(text, COLUMNS).table == "securityresources"


@pytest.mark.parametrize("question", OF_GRAPH, ids=lambda each: each.name)
@pytest.mark.parametrize("narrowing", Narrowing)
def test_every_narrowing_that_a_question_offers_can_be_asked(
    tenant: PostureTenant, question: Question, narrowing: Narrowing
) -> None:
    wanted = {narrowing: VALUES[narrowing]}
    if narrowing in question.narrowed:
        text = narrowed(text_of(question), question, wanted)
        assert VALUES[narrowing] in text
        assert ask(question, text, tenant).rows == ()
    else:
        with pytest.raises(ValueError, match=narrowing):
            narrowed(text_of(question), question, wanted)


@pytest.mark.parametrize("value", ["x' or 1 == 1 //", "a'b", "A", "", "a b", "a\nb", "\\", "a" * 65])
def test_a_value_that_could_say_more_than_itself_is_in_no_query(value: str) -> None:
    question = BY_NAME["recommendations"]
    with pytest.raises(ValueError, match="value"):
        narrowed(text_of(question), question, {Narrowing.ACCOUNT: value})


def test_the_tiles_are_those_of_the_deployed_workbook() -> None:
    book = json.loads((ROOT / "infra" / "azure" / "workbook.json").read_bytes())
    drawn = [
        each["content"]["query"] for each in book["items"] if each["type"] == 3 and each["content"]["queryType"] == 1
    ]
    tiles = [text_of(each) for each in QUESTIONS if each.name.startswith("tile-")]
    bare = [" ".join(line for line in text.splitlines() if not line.startswith("//")) for text in tiles]
    assert sorted(bare) == sorted(drawn)


# --- answers


def test_discovered_resources_are_counted_once_by_type_and_account(tenant: PostureTenant) -> None:
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "a")
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "b", status="Healthy")
    tenant.assess(ACCOUNT, "ec2-instance-i-2-us-east-1", "a", status="NotApplicable")
    tenant.assess(ACCOUNT, "s3-bucket-b", "c", kind="s3bucket")
    tenant.assess(OTHER_ACCOUNT, "ec2-instance-i-3-us-east-1", "a")
    tenant.assess(PROJECT, "instances-1", "d", kind="")
    tenant.assess("000000000000", "ec2-instance-i-4-us-east-1", "a")
    tenant.assess_azure("vm", "a", "High")
    assert cells(tenant, "discovered-resources") == [
        ("aws", "", "ec2instance", 1),  # its connector is gone
        ("aws", ACCOUNT, "ec2instance", 2),
        ("aws", ACCOUNT, "s3bucket", 1),
        ("aws", OTHER_ACCOUNT, "ec2instance", 1),
        ("gcp", PROJECT, "instances", 1),
    ]
    assert cells(tenant, "discovered-resources", account=OTHER_ACCOUNT) == [("aws", OTHER_ACCOUNT, "ec2instance", 1)]
    assert cells(tenant, "discovered-resources", provider="gcp") == [("gcp", PROJECT, "instances", 1)]
    tenant.assess(OTHER_ACCOUNT, "ec2-instance-i-9-us-east-1", "a")
    assert cells(tenant, "discovered-resources", account=OTHER_ACCOUNT) == [("aws", OTHER_ACCOUNT, "ec2instance", 2)]


def test_the_inventory_says_of_each_resource_what_is_open(tenant: PostureTenant) -> None:
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "a", severity="High")
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "b", severity="Low")
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "c", severity="Critical")
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "d", status="Healthy", severity="High")
    tenant.assess(PROJECT, "instances-1", "d", status="Healthy")
    assert cells(tenant, "inventory") == [
        ("aws", ACCOUNT, "aws-ec2-instance-i-1-us-east-1", 3, 2, 1),
        ("gcp", PROJECT, "gcp-instances-1", 0, 0, 1),
    ]
    assert cells(tenant, "inventory", provider="gcp") == [("gcp", PROJECT, "gcp-instances-1", 0, 0, 1)]


def test_recommendations_are_counted_by_severity_and_cloud_the_gravest_first(tenant: PostureTenant) -> None:
    for number in range(3):
        tenant.assess(ACCOUNT, f"s3-bucket-{number}", "low", severity="Low")
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "high", severity="High")
    tenant.assess(OTHER_ACCOUNT, "ec2-instance-i-2-us-east-1", "high", severity="High")
    tenant.assess(ACCOUNT, "ec2-instance-i-3-us-east-1", "high", status="Healthy", severity="High")
    tenant.assess(PROJECT, "instances-1", "odd", severity="Critical")
    tenant.assess_azure("vm", "high", "High")
    assert cells(tenant, "recommendations") == [
        ("critical", "gcp", "title of odd", 1, 1),
        ("high", "aws", "title of high", 2, 2),
        ("high", "azure", "title of high", 1, 1),
        ("low", "aws", "title of low", 1, 3),
    ]
    assert cells(tenant, "recommendations", account=OTHER_ACCOUNT) == [("high", "aws", "title of high", 1, 1)]
    assert cells(tenant, "recommendations", account=SUBSCRIPTION) == [("high", "azure", "title of high", 1, 1)]
    assert cells(tenant, "recommendations", severity="low", provider="aws") == [("low", "aws", "title of low", 1, 3)]
    tenant.assess(OTHER_ACCOUNT, "ec2-instance-i-2-us-east-1", "high", status="Healthy", severity="High")
    assert cells(tenant, "recommendations", severity="high", provider="aws") == [("high", "aws", "title of high", 1, 1)]


def test_attack_paths_that_cross_clouds_come_first(tenant: PostureTenant) -> None:
    instance = f"{connector_of(ACCOUNT)}/securityentitydata/aws-ec2-instance-i-1-us-east-1"
    bucket = f"{connector_of(PROJECT)}/securityentitydata/gcp-buckets-1"
    vault = f"{GROUP}/providers/Microsoft.KeyVault/vaults/v"
    unread = f"{connector_of('000000000000')}/securityentitydata/aws-s3-bucket-b"
    tenant.path("inside azure", "Critical", "", vault)
    tenant.path("over all", "Low", "", instance, f"{instance}2", bucket, vault)
    tenant.path("out of aws", "High", instance, vault)
    tenant.path("into what may not be read", "High", vault, unread)
    assert cells(tenant, "attack-paths") == [
        (3, "low", "over all", 1, 2, 1, (ACCOUNT, PROJECT)),
        (2, "high", "out of aws", 1, 1, 0, (ACCOUNT,)),
        (1, "critical", "inside azure", 1, 0, 0, ()),
        (1, "high", "into what may not be read", 1, 0, 0, ()),
    ]
    titles = {
        name: [row[2] for row in cells(tenant, "attack-paths", **{name: value})]
        for name, value in {"provider": "gcp", "account": ACCOUNT, "severity": "high"}.items()
    }
    assert titles == {
        "provider": ["over all"],
        "account": ["over all", "out of aws"],
        "severity": ["out of aws", "into what may not be read"],
    }
    tenant.resources.delete(attack_path_of(SUBSCRIPTION, "out of aws", risk="High", entities=(instance, vault))["id"])
    assert [row[2] for row in cells(tenant, "attack-paths", account=ACCOUNT)] == ["over all"]


def test_a_risk_that_stands_in_the_documented_field_only_is_told_too(tenant: PostureTenant) -> None:
    vault = f"{GROUP}/providers/Microsoft.KeyVault/vaults/v"
    found = attack_path_of(SUBSCRIPTION, "documented", risk="", entities=[vault])
    found["properties"]["potentialImpact"] = "Medium"
    tenant.resources.put(found, seen_by_graph_at=0)
    assert cells(tenant, "attack-paths", severity="medium")[0][:3] == (1, "medium", "documented")


def test_standards_tell_how_far_they_are_fulfilled(tenant: PostureTenant) -> None:
    tenant.standard("AWS-CIS-3.0.0", 40, 2, 1, 3)
    tenant.standard("PCI-DSS", 7, 0, 0, 0)
    tenant.standard("NIST", 1, 10, 0, 0)
    assert cells(tenant, "compliance") == [
        ("NIST", SUBSCRIPTION, "failed", 1, 10, 0, 0),
        ("AWS-CIS-3.0.0", SUBSCRIPTION, "failed", 40, 2, 1, 3),
        ("PCI-DSS", SUBSCRIPTION, "passed", 7, 0, 0, 0),
    ]


def test_assigned_standards_are_counted_by_account_and_exemptions_are_none(tenant: PostureTenant) -> None:
    tenant.assign(ACCOUNT, "CIS", 1)
    tenant.assign(ACCOUNT, "CIS", 2)
    tenant.assign(OTHER_ACCOUNT, "CIS", 3)
    tenant.assign(PROJECT, "GCP CSPM", 4)
    tenant.assign(PROJECT, "not this one", 5, effect="Exempt")
    assert cells(tenant, "assigned-standards") == [("aws", "CIS", 2), ("gcp", "GCP CSPM", 1)]
    assert cells(tenant, "assigned-standards", account=ACCOUNT) == [("aws", "CIS", 1)]


def test_vulnerabilities_are_counted_by_severity_and_account(tenant: PostureTenant) -> None:
    tenant.find(ACCOUNT, "shop", "CVE-1", "High")
    tenant.find(ACCOUNT, "shop", "CVE-2", "High")
    tenant.find(ACCOUNT, "desk", "CVE-1", "High")
    tenant.find(ACCOUNT, "desk", "CVE-3", "Low")
    tenant.find(PROJECT, "shop", "CVE-1", "High")
    tenant.find(OTHER_ACCOUNT, "shop", "CVE-1", "High", status="Healthy")
    tenant.find(OTHER_ACCOUNT, "db", "VA2064", "High", assessed="SqlServerVulnerability")
    assert cells(tenant, "vulnerabilities") == [
        ("high", "aws", ACCOUNT, 3, 2),
        ("high", "gcp", PROJECT, 1, 1),
        ("low", "aws", ACCOUNT, 1, 1),
    ]
    assert cells(tenant, "vulnerabilities", severity="high", account=PROJECT) == [("high", "gcp", PROJECT, 1, 1)]
    assert cells(tenant, "vulnerabilities", account=OTHER_ACCOUNT) == []


def test_machines_without_arc_are_counted_by_their_recommendation(tenant: PostureTenant) -> None:
    for number, status in enumerate(("Unhealthy", "Unhealthy", "Healthy")):
        tenant.assess(ACCOUNT, f"ec2-instance-i-{number}-us-east-1", ARC_ASSESSMENT, status)  # type: ignore[arg-type]  # literals
    tenant.assess(OTHER_ACCOUNT, "ec2-instance-i-9-us-east-1", "another")
    assert cells(tenant, "machines-without-arc") == [(ACCOUNT, 2, 1)]
    assert cells(tenant, "machines-without-arc", account=OTHER_ACCOUNT) == []


def test_tiles_count_what_is_there(tenant: PostureTenant) -> None:
    tenant.assess(ACCOUNT, "ec2-instance-i-1-us-east-1", "a", severity="High")
    tenant.assess(ACCOUNT, "ec2-instance-i-2-us-east-1", "a", severity="High")
    tenant.assess(PROJECT, "instances-1", "b", status="Healthy")
    tenant.path("p", "High", "")
    tenant.path("p", "High", "", "")
    kind = "microsoft.security/securityconnectors/ec2instance"
    assert cells(tenant, "tile-discovered")[0] == ("AWS", kind, 2)
    assert cells(tenant, "tile-recommendations") == [("AWS", "High", 2)]
    assert cells(tenant, "tile-attack-paths") == [("p", "High", 2)]
    for number, code in enumerate(("Healthy", "NotHealthy", "Healthy")):
        report = {
            "id": f"{connector_of(ACCOUNT)}/providers/Microsoft.Security/healthReports/{number}",
            "name": str(number),
            "type": "Microsoft.Security/healthReports",
            "properties": {
                "healthDataClassification": {"scope": "Connectors"},
                "resourceDetails": {"id": f"connector {number}"},
                "status": {"code": code},
            },
        }
        tenant.resources.put(report, seen_by_graph_at=0)
    assert cells(tenant, "tile-health") == [("Healthy", 2), ("NotHealthy", 1)]


# --- what an answer lacks


def test_more_rows_than_a_page_come_all(tenant: PostureTenant) -> None:
    for number in range(1203):
        tenant.assess(ACCOUNT, f"s3-bucket-{number:05d}", "a")
    answer = asked(tenant, "inventory")
    assert len({row["resource"] for row in answer.rows}) == 1203


def test_who_may_read_nothing_gets_no_empty_answer(tenant: PostureTenant) -> None:
    tenant.assess(ACCOUNT, "s3-bucket-b", "a")
    tenant.directory.unassign("operator")
    with pytest.raises(PermanentError, match="no subscription"):
        asked(tenant, "inventory")


def test_an_answer_says_of_how_much_it_is_one(tenant: PostureTenant) -> None:
    assert (asked(tenant, "inventory").subscriptions, asked(tenant, "inventory").whole) == (1, True)
    tenant.resources.add_subscription("00000000-0000-4000-8000-000000000002")
    assert asked(tenant, "inventory").subscriptions == 2
    tenant.left_out = True
    assert not asked(tenant, "inventory").whole


def test_an_answer_without_a_column_is_refused(tenant: PostureTenant) -> None:
    tenant.assess(ACCOUNT, "s3-bucket-b", "a")
    question = BY_NAME["inventory"]
    text = text_of(question).replace("grave, healthy, connector", "healthy, connector").replace("grave desc, ", "")
    with pytest.raises(PermanentError, match="without grave"):
        ask(question, text, tenant)
