"""A GCP project is created, moved, deleted and undeleted: what becomes of it on Azure, once."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.gcp.access import PREDEFINED
from sandbox.gcp.audit import LogEntry, Version
from sandbox.gcp.cloud import ADMINISTRATOR
from sandbox.gcp.deployment import IDENTITIES_PERMISSIONS, POLICY_VIEWER, POOL_VIEWER, ROLE_PERMISSIONS
from shared.domain.accounts import Provider
from shared.domain.gcp_identities import services_of
from shared.domain.ledger import AccountKey, AccountRecord, Result
from tests.e2e.processes import Command
from tests.e2e.project_planting import MACHINES, plant_assessments, plant_machines
from tests.e2e.roll import Roll, running, wait_until
from tests.fixtures.profiles import FULL
from tests.fixtures.read import loaded

PROJECTS = "/cloudresourcemanager/v3/projects"
QUICK: dict[str, Any] = {
    "resource_graph_lag_seconds": 0.2,
    "gcp_operation_seconds": 0.1,
    "gcp_search_lag_seconds": 0.2,
    "pacing_writes_per_second": 10_000.0,
    "pacing_burst": 10_000,
}
FOLDERS = {"/": 60, "/Workloads": 50, "/Workloads/Prod%2FEU": 80, "/Quarantine": 5}


class Google:
    """What the organization's administrator does, and what came of it."""

    def __init__(self, roll: Roll, folder: Path) -> None:
        self.roll, self.cloud, self.folder = roll, roll.sandbox.gcp, folder
        self.entries: list[LogEntry] = []
        self.cloud.audit.listeners.append(self.entries.append)
        self._trust = str(roll.sandbox.certificates.bundle_path)

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.cloud.token_of(ADMINISTRATOR)}"}
        url = f"{self.cloud.url}{path}"
        answer = requests.request(method, url, json=body, headers=headers, verify=self._trust, timeout=20)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def create(self, project_id: str, folder: str = "/Workloads", version: Version = "v3") -> str:
        """The number of a new project."""
        self.cloud.audit.version = version
        self.ask("POST", PROJECTS, {"projectId": project_id, "parent": self.cloud.folder_at(folder)})
        return self.number(project_id)

    def number(self, project_id: str) -> str:
        found = self.cloud.hierarchy.find_project(project_id)
        assert found is not None
        return found.number

    def move(self, project_id: str, folder: str) -> None:
        self.ask("POST", f"{PROJECTS}/{project_id}:move", {"destinationParent": self.cloud.folder_at(folder)})

    def record(self, number: str) -> AccountRecord | None:
        return self.roll.ledger.find(AccountKey(provider=Provider.GCP, hierarchy_identifier=number))

    def wait_for(self, number: str, state: str) -> AccountRecord:
        """The project's line once it is in `state`."""
        found: list[AccountRecord] = []

        def reached() -> bool:
            record = self.record(number)
            found[:] = [record] if record else []
            return record is not None and record.state == state

        wait_until(reached, f"project {number} is {state}, not {self.record(number)}")
        return found[0]

    def puts(self, number: str) -> list[int]:
        """What Resource Manager answered to the PUTs of a project's connector."""
        entries = self.roll.journal.entries(operation="arm:PutSecurityConnector")
        return [each.status for each in entries if each.path.partition("?")[0].endswith(f"/gcp-{number}")]

    def excluded(self) -> list[str]:
        """Whom the Organization connector leaves alone."""
        [parent] = self.roll.connectors(self.roll.sandbox.google.management_number)
        data = parent["properties"]["environmentData"]["organizationalData"]
        return list(data.get("excludedProjectNumbers") or [])

    def connected(self) -> set[str]:
        """The projects that the ledger calls connected."""
        found = self.roll.ledger.list_records()
        return {
            each.key.hierarchy_identifier
            for each in found
            if each.key.provider is Provider.GCP and each.state == "connected"
        }

    def writes(self, since: int) -> list[int]:
        """What Resource Manager answered to all writes of connectors since an entry of the journal."""
        wanted = {"arm:PutSecurityConnector", "arm:DeleteSecurityConnector"}
        return [each.status for each in self.roll.journal.entries(since=since) if each.operation in wanted]

    def command(self, *arguments: str) -> Any:
        """The document of a run of `rollcall`."""
        ran = Command(self.folder, *arguments, "--json", seconds=170)
        assert ran.out, ran.err
        found = ran.document
        assert "error" not in found, found
        return found

    def pushes(self) -> int:
        """How many calls of the function were answered 204."""
        entries = self.roll.journal.entries(operation="functions:CallFunction")
        return sum(each.status == 204 and each.path.endswith("/gcp/project-events") for each in entries)


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Google]:
    """The management project is connected: it was moved, and the entry about that asked for it."""
    folder = tmp_path_factory.mktemp("projects")
    with running(folder / ".sandbox", **QUICK) as roll:
        found = Google(roll, folder)
        found.move(roll.sandbox.google.management_project, "/Platform")
        found.wait_for(roll.sandbox.google.management_number, "connected")
        yield found


def test_the_management_project_becomes_the_organization_connector(google: Google) -> None:
    [connector] = google.roll.connectors(google.roll.sandbox.google.management_number)
    assert connector["name"] == "gcp-organization"
    data = connector["properties"]["environmentData"]["organizationalData"]
    assert data["organizationMembershipType"] == "Organization"


@pytest.mark.parametrize("version", ["v3", "v1"])
def test_a_new_project_becomes_a_connector_with_everything_that_it_needs(google: Google, version: Version) -> None:
    number = google.create(f"acme-new-{version}", version=version)
    record = google.wait_for(number, "connected")
    assert (record.reason, record.name, record.ou_path) == ("", f"acme-new-{version}", "/Workloads")
    [connector] = google.roll.connectors(number)
    assert connector["tags"] == {"rollcall": google.cloud.organization}
    assert connector["properties"]["environmentName"] == "GCP"
    kinds = {each["offeringType"] for each in connector["properties"]["offerings"]}
    assert {"CspmMonitorGcp", "DefenderForServersGcp"} <= kinds
    project = google.cloud.hierarchy.find_project(number)
    assert project is not None
    assert project.services >= set(services_of(FULL))
    assert project.metadata == {"enable-osconfig": "TRUE"}
    assert google.puts(number) == [201]


def test_the_same_push_twice_writes_nothing_more(google: Google) -> None:
    number = google.create("acme-twice-1")
    first, pushes = google.wait_for(number, "connected"), google.pushes()
    for _ in range(2):
        google.cloud.audit.listeners[0](google.entries[-1])
    wait_until(lambda: google.pushes() >= pushes + 2, "both are answered")
    wait_until(lambda: google.roll.onboarding.get_queue_properties().approximate_message_count == 0, "they are done")
    assert google.wait_for(number, "connected").connector_id == first.connector_id
    assert google.puts(number) == [201]


def test_a_project_is_moved_deleted_and_undeleted(google: Google) -> None:
    number = google.create("acme-life-1")
    google.wait_for(number, "connected")
    google.move("acme-life-1", "/Quarantine")
    excluded = google.wait_for(number, "excluded")
    assert excluded.reason == "excluded by folder path /Quarantine"
    wait_until(lambda: number in google.excluded(), "the Organization connector leaves it alone")
    google.move("acme-life-1", "/Workloads/Prod%2FEU")
    back = google.wait_for(number, "connected")
    assert back.ou_path == "/Workloads/Prod%2FEU"
    assert number not in google.excluded()
    google.ask("DELETE", f"{PROJECTS}/acme-life-1")
    departed = google.wait_for(number, "departed")
    assert "Runbook: project-deleted." in departed.remedy
    google.ask("POST", f"{PROJECTS}/acme-life-1:undelete", {})
    google.wait_for(number, "connected")
    assert google.puts(number) == [201]
    [connector] = google.roll.connectors(number)
    assert connector["properties"]["hierarchyIdentifier"] == number


def test_a_project_without_its_identities_waits_until_they_are_back(google: Google) -> None:
    pools = google.cloud.identities.pools
    [pool] = [each for name, each in pools.items() if not name.endswith("/rollcall")]
    pool["state"] = "DELETED"
    number = google.create("acme-late-1")
    deferred = google.wait_for(number, "deferred")
    assert "authenticating to your GCP project" in deferred.reason
    assert f"workload identity pool {pool['name'].rpartition('/')[2]} is deleted" in deferred.reason
    assert f"workload-identity-pools undelete {pool['name'].rpartition('/')[2]} --location=global" in deferred.remedy
    assert deferred.remedy.endswith("Runbook: gcp-pool-wrong.")
    pool["state"] = "ACTIVE"
    google.wait_for(number, "connected")
    assert google.puts(number)[-1] == 201
    assert {each.result for each in google.roll.ledger.history(deferred.key)} >= {Result.DEFERRED, Result.CREATED}


def test_the_sweep_finds_what_projects_lack_and_mends_it(google: Google) -> None:
    lost, changed = google.create("acme-lost-1"), google.create("acme-changed-1")
    for number in (lost, changed):
        google.wait_for(number, "connected")
    resources = google.roll.sandbox.azure.resources
    [gone] = google.roll.connectors(lost)
    resources.delete(gone["id"])
    [body] = google.roll.connectors(changed)
    offerings = body["properties"]["offerings"][:-1]
    resources.put(body | {"properties": {**body["properties"], "offerings": offerings}})
    access, root = google.cloud.access, google.cloud.hierarchy.root
    access.stage(f"{root}/roles/MDCCspmCustomRole", "DELETED")
    google.cloud.org_policies.allow(root, "compute.storageResourceUseRestrictions", "under:organizations/1")
    plant_machines(google.roll, "acme-changed-1", body["id"])
    plant_assessments(google.roll, body["id"])
    first = google.command("sweep")
    access.stage(f"{root}/roles/MDCCspmCustomRole", "GA")
    google.cloud.org_policies.reset()
    assert first["complete"], first["gaps"]
    shared = {each["finding"]["key"]: each["finding"] for each in first["findings"] if "gcp-" in each["finding"]["key"]}
    assert shared.keys() == {"gcp-role-wrong", "gcp-storage-restricted"}
    assert {each["account"] for each in shared.values()} == {google.roll.sandbox.google.management_number}
    assert "gcloud iam roles undelete MDCCspmCustomRole --organization=" in shared["gcp-role-wrong"]["remedy"]
    told = {(each["finding"]["key"], each["finding"]["account"]) for each in first["findings"]}
    assert {("connector-missing", lost), ("connector-drifted", changed)} <= told
    about_machines = [each["finding"] for each in first["findings"] if each["finding"]["area"] == "machines"]
    named = {
        each["evidence"].get("machine", each["subject"]).rpartition("/")[2]: each["key"] for each in about_machines
    }
    assert named == MACHINES
    assert {key for key, account in told if account == changed and key.endswith("-missing")} == {
        "machine-tags-missing",
        "osconfig-missing",
        "arc-missing",
        "cluster-extension-missing",
    }
    assert first["discovered"] == {"gcp/instances": 1, "gcp/clusters": 1}
    assert {lost, changed} <= set(first["asked"])
    google.roll.wait_until_drained()
    wait_until(lambda: bool(google.roll.connectors(lost)), "the connector is back")
    second = google.command("sweep")
    assert not {lost, changed} & set(second["asked"])
    resolved = {each["finding"]["account"] for each in second["findings"] if each["standing"] == "resolved"}
    assert {lost, changed, google.roll.sandbox.google.management_number} <= resolved
    used = access.used_by(google.roll.sandbox.google.service_account)
    assert {*ROLE_PERMISSIONS, *IDENTITIES_PERMISSIONS} - used == set(), "granted, and never needed"
    for role in (POLICY_VIEWER, POOL_VIEWER):
        assert used & PREDEFINED[role], f"nothing of {role} is needed"


@pytest.mark.timeout(300)
def test_an_operator_takes_a_project_in_and_out(google: Google) -> None:
    """Every command about one project: planned, explained, brought in, looked at and taken out."""
    [number] = google.roll.seed(projects=[{"id": "acme-walk-1", "folder": "/Workloads"}])["projects"]
    planned = google.command("plan", "--account", "acme-walk-1")
    assert [(each["provider"], each["action"]) for each in planned["accounts"]] == [("gcp", "create")]
    explained = google.command("policy", "explain", number, "--provider", "gcp")
    assert (explained["verdict"], explained["account"]["name"]) == ("include", "acme-walk-1")
    assert explained["connector_id"] == planned["accounts"][0]["connector_id"]
    done = google.command("onboard", "acme-walk-1")
    assert (done["state"], done["connector_id"], google.puts(number)) == ("connected", explained["connector_id"], [201])
    [connector] = google.roll.connectors(number)
    assert {each["offeringType"] for each in connector["properties"]["offerings"]} == {
        each["offeringType"] for each in explained["body"]["properties"]["offerings"]
    }
    status = google.command("status", "acme-walk-1")
    assert (status["provider"], status["state"], status["history"][-1]["result"]) == ("gcp", "connected", "created")
    refused = Command(google.folder, "offboard", google.roll.sandbox.google.management_project, "--confirm", "--json")
    assert (refused.code, "member connector" in refused.document["error"]["reason"]) == (1, True)
    gone = google.command("offboard", "acme-walk-1", "--confirm")
    assert (gone["state"], gone["connectors"], google.roll.connectors(number)) == (
        "offboarded",
        [explained["connector_id"]],
        [],
    )


def test_pushes_that_were_parked_are_read_again_by_replay(google: Google, tmp_path: Path) -> None:
    """One names a project that is seen only now; one named none until it was mended."""
    earlier = {"timestamp": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    late, nameless = (loaded(f"gcp/events/create.{name}.json") | earlier for name in ("v3", "nameless"))
    late_id = late["protoPayload"]["request"]["project"]["projectId"]
    for entry in (late, nameless):
        google.cloud.audit.listeners[0](entry)
    parked: list[dict[str, Any]] = []

    def listed() -> bool:
        parked[:] = google.command("replay", "list", "--provider", "gcp")["messages"]
        return len(parked) == 2

    wait_until(listed, "both pushes are parked")
    ids = {each["reason_class"]: each["message_id"] for each in parked}
    assert ids.keys() == {"project-not-visible", "unreadable-push"}
    first, second = google.roll.seed(projects=[{"id": late_id}, {"id": "acme-mended-1"}])["projects"]
    entry = nameless | {"resource": {"type": "project", "labels": {"project_id": "acme-mended-1"}}}
    data = base64.b64encode(json.dumps(entry).encode()).decode()
    mended = tmp_path / "push.json"
    mended.write_text(json.dumps({"message": {"data": data, "messageId": "1"}}))
    for arguments in ((ids["unreadable-push"], "--from", str(mended)), (ids["project-not-visible"],)):
        assert google.command("replay", "run", *arguments, "--queue", "onboarding-poison")["failed"] == 0
    for number in (first, second):
        google.wait_for(number, "connected")
        assert google.puts(number) == [201]


@pytest.mark.timeout(400)
def test_one_command_brings_projects_in_and_the_second_run_writes_nothing(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google.cloud, "operation_seconds", 0.0)  # two seconds less for each; others wait for them
    wanted: list[dict[str, Any]] = [
        {"id": f"many-{place}-{number}", "folder": folder}
        for place, (folder, count) in enumerate(FOLDERS.items())
        for number in range(count)
    ]
    wanted += [{"id": f"many-exempt-{number}", "labels": {"defender": "exempt"}} for number in range(5)]
    numbers = google.roll.seed(projects=wanted)["projects"]
    included = {number for number, each in zip(numbers, wanted, strict=True) if is_included(each)}
    assert (len(numbers), len(included)) == (200, 190)
    before = len(google.roll.journal)
    dry = google.command("backfill", "--provider", "gcp", "--dry-run")
    inside = google.command("backfill", "--provider", "gcp", "--dry-run", "--ou", "/Workloads/Prod%2FEU")
    assert inside["totals"]["connect_request"] >= FOLDERS["/Workloads/Prod%2FEU"]
    assert dry["totals"]["connect_request"] >= len(included) + 1
    assert dry["totals"]["note"] >= 10
    assert not google.roll.journal.entries(operation="queue:PutMessage", since=before)
    first = len(google.roll.journal)
    done = google.command("backfill", "--provider", "gcp")
    assert (done["totals"], done["failed"]) == (dry["totals"], [])
    wait_until(lambda: google.connected() >= included, "every project is connected", 240)
    google.roll.wait_until_drained()
    assert google.writes(first).count(201) == len(included)
    assert not google.connected() & (set(numbers) - included)
    assert set(google.excluded()) >= set(numbers) - included
    second = len(google.roll.journal)
    again = google.command("backfill", "--provider", "gcp")
    assert again["totals"] == done["totals"]
    google.roll.wait_until_drained()
    assert google.writes(second) == []
    reads = Counter(
        each.path.partition("?")[0]
        for each in google.roll.journal.entries(service="gcp", since=second)
        if ADMINISTRATOR in each.identity and "/folders/" in each.path
    )
    assert max(reads.values()) <= 2  # for the listing, and for projects that are looked at again: not for each project


def is_included(seed: dict[str, Any]) -> bool:
    return seed.get("folder") != "/Quarantine" and "labels" not in seed
