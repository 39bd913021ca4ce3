"""`rollcall sandbox`, `status` and `onboard` as a person or a script runs them: answers, exit codes, JSON."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from dotenv import dotenv_values

from tests.e2e.processes import Command, processes_of, started, wait_until_gone
from tests.e2e.roll import wait_until

NO_ROLE = "iam:CreateRole Access Denied by a service control policy."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which `rollcall sandbox up --json` runs."""
    made = tmp_path_factory.mktemp("command")
    with started(made, "sandbox", "up", "--json") as process:
        wait_until(lambda: _says_endpoints(made, process), "the sandbox is up", 60)
        yield made


def _says_endpoints(folder: Path, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, (folder / "stderr").read_text()
    return (folder / "stdout").read_text().endswith("}\n")


def seed(folder: Path, **what: Any) -> list[str]:
    endpoints = json.loads((folder / ".sandbox" / "endpoints.json").read_bytes())
    answer = requests.post(f"{endpoints['admin']}/seed", json=what, timeout=10)
    answer.raise_for_status()
    accounts: list[str] = answer.json()["accounts"]
    return accounts


def puts(folder: Path, account_id: str) -> int:
    endpoints = json.loads((folder / ".sandbox" / "endpoints.json").read_bytes())
    answer = requests.get(f"{endpoints['admin']}/journal", params={"operation": "arm:PutSecurityConnector"}, timeout=10)
    return sum(f"/aws-{account_id}" in entry["path"] for entry in answer.json()["entries"])


def test_sandbox_up_prints_its_endpoints_as_one_document(folder: Path) -> None:
    printed = json.loads((folder / "stdout").read_text())
    assert printed == json.loads((folder / ".sandbox" / "endpoints.json").read_bytes())
    names = {"aws", "arm", "authority", "queue", "blob", "table", "functions", "admin", "ca_bundle"}
    assert names <= {name for name, value in printed.items() if value}


def test_a_second_sandbox_in_the_same_folder_is_refused_and_the_first_lives_on(folder: Path) -> None:
    before = processes_of(folder)
    for arguments in (("sandbox", "up"), ("sandbox", "up", "--json"), ("demo", "--json")):
        second = Command(folder, *arguments)
        assert second.code == 1
        assert "already" in second.err
        assert ("already" in second.document["error"]["reason"]) if "--json" in arguments else second.out == ""
    assert processes_of(folder).keys() == before.keys()
    assert requests.get(json.loads((folder / "stdout").read_text())["admin"] + "/journal", timeout=10).ok


def test_onboard_connects_an_account_and_the_second_time_changes_nothing(folder: Path) -> None:
    [account_id] = seed(folder, accounts=[{"name": "by-hand"}])
    first = Command(folder, "onboard", account_id, "--json")
    assert first.code == 0, first.err
    assert first.document["state"] == "connected"
    assert first.document["connector_id"].endswith(f"/aws-{account_id}")
    second = Command(folder, "onboard", account_id, "--json")
    assert second.code == 0, second.err
    assert second.document["event_id"] != first.document["event_id"]
    assert second.document["connector_id"] == first.document["connector_id"]
    assert puts(folder, account_id) == 1
    status = Command(folder, "status", account_id, "--json")
    assert status.code == 0, status.err
    assert [entry["result"] for entry in status.document["history"]][-2:] == ["created", "unchanged"]


def test_onboard_of_an_account_that_fails_exits_1_with_the_reason(folder: Path) -> None:
    [account_id] = seed(folder, accounts=[{"name": "hopeless"}])
    seed(folder, stack_failures=[{"account": account_id, "reason": NO_ROLE}])
    said = Command(folder, "onboard", account_id)
    assert said.code == 1
    assert "deploy_failed" in said.out
    assert NO_ROLE in said.out
    document = Command(folder, "onboard", account_id, "--json")
    assert document.code == 1
    assert document.document["state"] == "deploy_failed"
    assert NO_ROLE in document.document["reason"]


@pytest.mark.parametrize(
    ("account", "state", "reason"),
    [
        ({"name": "closed", "state": "SUSPENDED"}, "departed", "SUSPENDED"),
        ({"name": "exempt", "tags": {"defender": "exempt"}}, "excluded", "defender"),
    ],
)
def test_onboard_of_an_account_that_takes_no_part_is_done_and_says_why(
    folder: Path, account: dict[str, Any], state: str, reason: str
) -> None:
    [account_id] = seed(folder, accounts=[account])
    done = Command(folder, "onboard", account_id, "--json")
    assert (done.code, done.document["state"]) == (0, state)
    assert reason in done.document["reason"]


def test_onboard_without_waiting_only_asks(folder: Path) -> None:
    [account_id] = seed(folder, accounts=[{"name": "patient"}])
    asked = Command(folder, "onboard", account_id, "--wait", "0", "--json")
    assert asked.code == 0, asked.err
    assert asked.document.keys() == {"event_id", "hierarchy_identifier"}

    def connected() -> bool:
        return '"connected"' in Command(folder, "status", account_id, "--json").out

    wait_until(connected, "the account connects all the same")


def test_status_lists_every_account_with_totals(folder: Path) -> None:
    [account_id] = seed(folder, accounts=[{"name": "listed"}])
    assert Command(folder, "onboard", account_id).code == 0
    document = Command(folder, "status", "--json").document
    assert document["totals"]["connected"] >= 1
    assert sum(document["totals"].values()) == len(document["accounts"])
    [line] = [each for each in document["accounts"] if each["hierarchy_identifier"] == account_id]
    assert (line["name"], line["state"]) == ("listed", "connected")
    said = Command(folder, "status")
    assert said.code == 0
    assert account_id in said.out


def test_a_question_is_answered_about_the_accounts_that_are_connected(folder: Path) -> None:
    [account_id] = seed(folder, accounts=[{"name": "asked-about"}])
    connector = Command(folder, "onboard", account_id, "--json").document["connector_id"]
    found = {"connector": connector, "resource": "ec2-instance-i-1-us-east-1", "resource_type": "ec2instance"}
    seed(folder, assessments=[found | {"key": "k", "status": "Unhealthy", "severity": "High", "title": "=open"}])
    wanted = ("query", "recommendations", "--account", account_id)

    def answered() -> bool:
        return bool(Command(folder, *wanted, "--json").document["rows"])

    wait_until(answered, "Resource Graph has caught up")
    cells = Command(folder, *wanted, "--csv")
    assert cells.code == 0, cells.err
    assert cells.out.splitlines()[1] == '"high","aws","\'=open","1","1","k"'
    assert "from 1 subscription(s) that you may read" in cells.err
    printed = Command(folder, "--quiet", "query", "aws-iam-changes")
    assert (printed.code, printed.err) == (0, "")
    assert "AWSCloudTrail" in printed.out
    refused = Command(folder, "query", "compliance", "--account", account_id, "--json")
    assert (refused.code, refused.document.keys()) == (2, {"error"})


def test_an_account_that_nobody_knows_is_found_out(folder: Path) -> None:
    status = Command(folder, "status", "999999999999")
    assert status.code == 1
    assert "999999999999" in status.err
    document = Command(folder, "status", "999999999999", "--json").document
    assert "rollcall onboard 999999999999" in document["error"]["remedy"]
    onboard = Command(folder, "onboard", "999999999999", "--wait", "2")
    assert onboard.code == 1
    assert "did not settle" in onboard.err


def plant(folder: Path, **fault: Any) -> None:
    endpoints = json.loads((folder / ".sandbox" / "endpoints.json").read_bytes())
    requests.post(f"{endpoints['admin']}/faults", json=fault, timeout=10).raise_for_status()


def published_policy(folder: Path) -> tuple[Path, str]:
    """A copy of the sandbox's own policy and the hash that it is known by."""
    settings = dotenv_values(folder / ".sandbox" / "operator.env")
    s3 = boto3.client("s3", endpoint_url=settings["AWS_ENDPOINT_URL"], aws_access_key_id="a", aws_secret_access_key="b")
    bucket, _, key = str(settings["ROLLCALL_PUBLISH__S3"]).removeprefix("s3://").partition("/")
    content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    path = folder / "policy.yaml"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


def test_policy_explain_shows_what_onboarding_then_does(folder: Path) -> None:
    [account_id] = seed(folder, accounts=[{"name": "explained"}])
    explained = Command(folder, "policy", "explain", account_id, "--json")
    assert explained.code == 0, explained.err
    document = explained.document
    assert (document["verdict"], document["rule"], document["profile"]["name"]) == ("include", None, "foundational")
    assert document["policy"]["hash"] == published_policy(folder)[1]
    assert puts(folder, account_id) == 0
    done = Command(folder, "onboard", account_id, "--json")
    assert done.document["connector_id"].lower() == document["connector_id"].lower()
    said = Command(folder, "policy", "explain", account_id)
    assert said.out.splitlines()[0] == f"{account_id}  explained  /"
    assert said.out.splitlines()[1] == "include: profile foundational (default profile)"


def test_policy_explain_takes_a_file_in_the_place_of_what_is_published(folder: Path) -> None:
    [account_id] = seed(folder, accounts=[{"name": "tagged", "tags": {"tier": "gold"}}])
    path, _ = published_policy(folder)
    rule = "rules:\n  - {name: gold, match: {tags: {tier: gold}}, profile: recommended}\n"
    path.write_text(path.read_text().replace("rules:\n", rule))
    document = Command(folder, "policy", "explain", account_id, "--policy", str(path), "--json").document
    assert document["rule"] == {"number": 1, "name": "gold", "matched": "tag tier=gold"}
    assert document["account"]["tags"] == {"tier": "gold"}
    assert len(document["body"]["properties"]["offerings"]) == 5


def test_policy_explain_refuses_an_account_of_nobody(folder: Path) -> None:
    refused = Command(folder, "policy", "explain", "999999999999", "--json")
    assert refused.code == 1
    assert refused.document["error"]["reason"] == "the organization has no account 999999999999"
    assert Command(folder, "policy", "explain", "99", "--json").code == 2


def test_policy_publish_writes_both_places_once_and_a_failure_between_them_is_mended_by_the_next_run(
    folder: Path,
) -> None:
    path, before = published_policy(folder)
    same = Command(folder, "policy", "publish", str(path), "--json")
    assert same.code == 0, same.err
    assert [each["outcome"] for each in same.document["destinations"]] == ["unchanged", "unchanged"]
    path.write_text(path.read_text() + "# one word more\n")
    planned = Command(folder, "policy", "publish", str(path), "--dry-run", "--json").document
    assert [each["outcome"] for each in planned["destinations"]] == ["would-write", "would-write"]
    assert {each["before"] for each in planned["destinations"]} == {before}
    assert [each["url"].split(":")[0] for each in planned["destinations"]] == ["s3", "https"]
    plant(folder, service="blob", operation="PutBlob", kind="error", count=10)
    failed = Command(folder, "policy", "publish", str(path))
    assert failed.code == 1
    assert [line.split()[0] for line in failed.out.splitlines()[:2]] == ["written", "failed"]
    assert "The two sides differ now" in failed.out
    endpoints = json.loads((folder / ".sandbox" / "endpoints.json").read_bytes())
    requests.delete(f"{endpoints['admin']}/faults", timeout=10)
    mended = Command(folder, "policy", "publish", str(path), "--json").document
    assert [each["outcome"] for each in mended["destinations"]] == ["unchanged", "written"]
    again = Command(folder, "policy", "publish", str(path))
    assert [line.split()[0] for line in again.out.splitlines()[:2]] == ["unchanged", "unchanged"]


@pytest.mark.parametrize("command", ["status", "onboard"])
@pytest.mark.parametrize("account_id", ["12345", "1234567890123", "12345678901x", "١٢٣٤٥٦٧٨٩٠١٢"])
def test_a_malformed_account_id_is_wrong_usage(folder: Path, command: str, account_id: str) -> None:
    refused = Command(folder, command, account_id, "--json")
    assert (refused.code, refused.document.keys()) == (2, {"error"})
    assert "twelve digits" in " ".join(refused.err.split())


def test_without_a_deployment_the_command_names_the_missing_setting(tmp_path: Path) -> None:
    refused = Command(tmp_path, "status", "--json")
    assert "ROLLCALL_LEDGER" in refused.document["error"]["reason"]
    for arguments in (("status",), ("onboard", "012345678901")):
        refused = Command(tmp_path, *arguments)
        assert (refused.code, refused.out) == (2, "")
        assert "ROLLCALL_LEDGER" in refused.err
        assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    "arguments", [(), ("demo",), ("status",), ("onboard",), ("query",), ("sandbox",), ("sandbox", "up"), ("policy",)]
)
def test_every_command_explains_itself(arguments: tuple[str, ...], tmp_path: Path) -> None:
    helped = Command(tmp_path, *arguments, "--help")
    assert helped.code == 0
    assert "Usage: rollcall" in helped.out


def test_sandbox_down_where_none_runs_says_so_and_exits_1(tmp_path: Path) -> None:
    none = Command(tmp_path, "sandbox", "down", "--json")
    assert (none.code, none.document) == (1, {"stopped": False})


def test_sandbox_down_ends_everything(folder: Path) -> None:
    assert processes_of(folder)
    down = Command(folder, "sandbox", "down", "--json")
    assert (down.code, down.document) == (0, {"stopped": True})
    wait_until_gone(folder)
    assert not (folder / ".sandbox" / "endpoints.json").exists()
