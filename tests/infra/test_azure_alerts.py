"""Alarms and workbook look for lines that the code writes, with the fields that it gives them."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared.application.notify import Outcome
from shared.domain.ledger import Result
from shared.domain.sweep.kinds import SWEEP_KINDS
from shared.domain.sweep.report import Standing
from tests.infra.azure_module import MODULE, modules, of_kind, the, variable, words

ROOT = MODULE.parents[1]
ALERTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted((MODULE / "alerts").glob("*.kql"))}
BOOK: dict[str, Any] = json.loads((MODULE / "workbook.json").read_text(encoding="utf-8"))
QUERIES = [each["content"] for each in BOOK["items"] if each["type"] == 3]
LOGS = [each for each in QUERIES if each["queryType"] == 0]
GRAPH = [each for each in QUERIES if each["queryType"] == 1]
ASKED = ALERTS | {each["title"]: each["query"] for each in LOGS}
"""Every query over log lines, by its name."""
_PHRASES = re.compile(r"Message (?:==|in) (\('[^)]+\)|'\w+')")
_FIELD = re.compile(r"\bfields\.(\w+)")
# What Outcome and Accepted add to a closing line.
OF_OUTCOMES = ("shared/application/outcome.py", "shared/application/accept_project_event.py")


def phrases_of(query: str) -> list[str]:
    return [phrase for each in _PHRASES.findall(query) for phrase in re.findall(r"\w+", each)]


@cache
def constants(path: Path) -> frozenset[str]:
    """Every text in a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        each.value for each in ast.walk(tree) if isinstance(each, ast.Constant) and type(each.value) is str
    )


def writers(phrase: str) -> list[Path]:
    """The modules whose loggers say the phrase."""
    paths = [path for folder in ("functions", "shared") for path in sorted((ROOT / folder).rglob("*.py"))]
    said = re.compile(rf'logger\.\w+\([^"]*"{phrase}"')
    return [path for path in paths if said.search(path.read_text(encoding="utf-8"))]


def fields_of(phrase: str) -> set[str]:
    found = {text for path in writers(phrase) for text in constants(path)} | set(Standing)
    if phrase in {"push_handled", "request_handled", "request_unreadable"}:
        found |= {text for name in OF_OUTCOMES for text in constants(ROOT / name)}
    return found


@pytest.mark.parametrize("name", ASKED)
def test_a_query_looks_for_lines_that_are_written_with_fields_that_they_have(name: str) -> None:
    query = ASKED[name]
    phrases = phrases_of(query)
    assert phrases
    assert query.startswith("AppTraces")
    known: set[str] = set()
    for phrase in phrases:
        assert writers(phrase), phrase
        known |= fields_of(phrase)
    assert set(_FIELD.findall(query)) <= known


def test_words_that_queries_compare_with_are_the_codes_own() -> None:
    compared = re.findall(r"outcome\)? (?:==|in) \(?('[^)|\n]+)", "\n".join(ASKED.values()))
    outcomes = {word for each in compared for word in re.findall(r"'([\w-]+)'", each)}
    assert outcomes == {"created", "deferred", "parked", "given-up"}
    assert outcomes <= set(Result) | {str(Outcome.GIVEN_UP)}
    [key] = re.findall(r"fields\.key\) == '([^']+)'", ALERTS["connectors-unhealthy"])
    assert key in {kind.key for kind in SWEEP_KINDS}
    assert "ConfigurationError" in ALERTS["deployment-wrong"]


def test_each_query_is_an_alarm_whose_window_it_fits_in() -> None:
    rules = {each["name"]: each for each in variable("modules/alerts.bicep", "rules")}
    assert set(rules) == set(ALERTS)
    for name, rule in rules.items():
        assert f"../alerts/{name}.kql" in set(words(rule["query"]))
        assert rule["severity"] in {0, 1, 2, 3, 4}
    assert "ago(26h)" in ALERTS["sweep-missing"]
    assert rules["sweep-missing"]["window"] == rules["deferred-too-long"]["window"] == "P2D"
    body = the("modules/alerts.bicep", "alerts").properties
    [criterion] = body["criteria"]["allOf"]
    assert (criterion["timeAggregation"], criterion["operator"], criterion["threshold"]) == ("Count", "GreaterThan", 0)
    assert body["scopes"] == ["workspaceId"]


def test_a_missing_sweep_is_a_row_and_not_silence() -> None:
    steps = ALERTS["sweep-missing"].strip().splitlines()
    assert steps[-2:] == ["| summarize finished = count()", "| where finished == 0"]


def test_the_workbook_asks_resource_graph_for_the_tenant_and_logs_for_our_workspace() -> None:
    assert len(GRAPH) == 4
    assert len(LOGS) == 6
    assert {tuple(each["crossComponentResources"]) for each in GRAPH} == {("value::tenant",)}
    assert {tuple(each["crossComponentResources"]) for each in LOGS} == {("WORKSPACE_ID",)}
    made = the("modules/workbook.bicep", "workbook").properties["serializedData"]["function"]
    assert made["type"] == "replace"
    assert {"WORKSPACE_ID", "workspaceId", "../workbook.json"} <= set(words(made))
    assert modules("main.bicep")["workbook"]["params"].keys() == {"location", "workspaceId"}


def test_the_workbook_counts_every_standing_of_a_finding() -> None:
    [sweep] = [each["query"] for each in LOGS if "sweep_findings" in each["query"]]
    assert {word for word in _FIELD.findall(sweep) if word not in {"key", "area"}} == set(Standing)


def test_whoever_puts_a_message_on_a_poison_queue_is_noticed() -> None:
    """By the storage account's own log, which `infra/azure` switches on; columns as of table StorageQueueLogs."""
    query = ALERTS["poison-arrivals"]
    _, _, leg = query.partition("StorageQueueLogs")
    assert "OperationName == 'PutMessage' and StatusText endswith 'Success' and Uri contains '-poison/messages'" in leg
    poison = [each for each in variable("modules/intake-storage.bicep", "queueNames") if each.endswith("-poison")]
    assert len(poison) == 2
    [kept] = [
        {log["category"] for log in each.properties["logs"]}
        for each in of_kind("Microsoft.Insights/diagnosticSettings")
        if each.body["scope"] == "queueService"
    ]
    assert "StorageWrite" in kept
    assert query.startswith("AppTraces")
    assert "| union isfuzzy=true (" in query


def test_an_alarm_looks_back_further_than_it_is_asked() -> None:
    minutes = {"PT15M": 15, "PT1H": 60, "P2D": 2880}
    for rule in variable("modules/alerts.bicep", "rules"):
        assert minutes[rule["window"]] > minutes[rule["frequency"]]
