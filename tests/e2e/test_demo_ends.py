"""`rollcall demo`: what it says, and that however it ends nothing goes on running."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.e2e.processes import Command, processes_of, started, wait_until_gone
from tests.e2e.roll import wait_until

START_SECONDS = 90
KINDS = ("/rollcall ", "-m sandbox ", "azurite", "awslambdaric", "sandbox.functions_host")


def test_the_demo_prints_one_json_document_and_connects_every_account_and_project(tmp_path: Path) -> None:
    demo = Command(tmp_path, "demo", "--accounts", "3", "--projects", "2", "--pace", "0.2", "--json")
    assert demo.code == 0, demo.err
    document = demo.document
    assert document["ok"] is True
    assert [account["state"] for account in document["accounts"]] == ["connected"] * 3
    for account in document["accounts"]:
        assert account["connector_id"].endswith(f"/aws-{account['account_id']}")
        assert list(account["steps"]) == ["created", "event", "stack_set", "instance", "queue", "connector"]
        assert list(account["steps"].values()) == sorted(account["steps"].values())
    assert [project["state"] for project in document["projects"]] == ["connected"] * 2
    for project in document["projects"]:
        assert project["connector_id"].endswith(f"/gcp-{project['account_id']}")
        assert list(project["steps"]) == ["created", "event", "queue", "connector"]
        assert project["place"].startswith("/Shops/")
    [script] = document["excluded"]
    assert (script["state"], script["place"]) == ("excluded", "/system-gsuite/apps-script")
    states = {each["name"]: each["state"] for each in document["existing"]}
    management = states.pop("mdc-mgmt-proj-518249130711")
    assert states == {"payments": "connected", "incident-4711": "excluded", "old-shop": "departed"}
    assert management == "connected"
    [failed] = document["failed"]
    assert failed["state"] == "deploy_failed"
    assert "service control policy" in failed["reason"]
    assert document["replay"]["unchanged"] is True
    totals = document["totals"]
    assert (totals["accounts_connected"], totals["projects_connected"]) == (4, 3)
    # The Organization connector is written once more: it is told to leave Apps Script's project alone.
    assert totals["connector_puts"] == 8
    assert len(document["connectors"]) == 7
    wait_until_gone(tmp_path)


def _sandbox_processes(folder: Path) -> bool:
    return any("-m sandbox " in command for command in processes_of(folder).values())


def _endpoints(folder: Path) -> bool:
    return (folder / ".sandbox" / "endpoints.json").exists()


def _everything(folder: Path) -> bool:
    commands = processes_of(folder).values()
    return all(any(kind in command for command in commands) for kind in KINDS)


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "the sandbox has been launched": _sandbox_processes,
    "the clouds are starting": lambda folder: any("azurite" in each for each in processes_of(folder).values()),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_at_any_moment_leaves_nothing_running(moment: str, tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--accounts", "3", "--pace", "0.2") as demo:
        wait_until(lambda: MOMENTS[moment](tmp_path), moment, START_SECONDS)
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(25) != 0
        wait_until_gone(tmp_path)
        assert not _endpoints(tmp_path)
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def _connector_puts(folder: Path) -> int:
    if not _endpoints(folder):
        return 0
    admin = json.loads((folder / ".sandbox" / "endpoints.json").read_bytes())["admin"]
    answer = requests.get(f"{admin}/journal", params={"operation": "arm:PutSecurityConnector"}, timeout=10)
    return len(answer.json()["entries"])


def test_ctrl_c_while_accounts_walk_leaves_nothing_running(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--accounts", "20", "--pace", "0.5") as demo:
        wait_until(lambda: _connector_puts(tmp_path) > 0, "accounts are on their way", START_SECONDS)
        assert _everything(tmp_path)  # else the search below proves nothing
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(25) != 0
        wait_until_gone(tmp_path)
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_an_impatient_second_ctrl_c_leaves_nothing_running_either(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--accounts", "3") as demo:
        wait_until(lambda: MOMENTS["the clouds are starting"](tmp_path), "the clouds are starting", START_SECONDS)
        for _ in range(2):
            os.killpg(demo.pid, signal.SIGINT)
            time.sleep(0.3)
        assert demo.wait(25) != 0
        wait_until_gone(tmp_path)


def test_ctrl_c_ends_sandbox_up_and_all_that_it_started(tmp_path: Path) -> None:
    with started(tmp_path, "sandbox", "up") as up:
        wait_until(lambda: "admin" in (tmp_path / "stdout").read_text(), "the sandbox is up", START_SECONDS)
        assert _everything(tmp_path)
        os.killpg(up.pid, signal.SIGINT)
        assert up.wait(25) == 0
        wait_until_gone(tmp_path)
        assert not _endpoints(tmp_path)


def test_a_killed_demo_leaves_nothing_running(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--accounts", "3") as demo:
        wait_until(lambda: _everything(tmp_path), "everything runs", START_SECONDS)
        demo.kill()
        demo.wait()
        wait_until_gone(tmp_path)


def test_a_killed_sandbox_leaves_nothing_running_and_the_next_demo_is_not_refused(tmp_path: Path) -> None:
    with started(tmp_path, "demo", "--accounts", "20") as demo:
        wait_until(lambda: _endpoints(tmp_path), "the clouds are up", START_SECONDS)
        os.kill(json.loads((tmp_path / ".sandbox" / "endpoints.json").read_bytes())["pid"], signal.SIGKILL)
        assert demo.wait(60) == 1
        wait_until_gone(tmp_path)
    assert _endpoints(tmp_path)  # what a killed one cannot clear away
    again = Command(tmp_path, "demo", "--accounts", "1", "--projects", "0", "--pace", "0")
    assert again.code == 0, again.err
    assert "team-01" in again.out
    assert "gcp" not in again.out
    assert "The connectors, as Resource Manager has them" in again.out
    assert "Traceback" not in again.out + again.err
