"""Every command of an operator, for a project: as people read it and as a script does, on fakes of both clouds."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cli import bootstrap, cloud_bootstrap, output, queue_bootstrap
from shared.adapters.aws import account_listing
from shared.adapters.defender import surroundings
from shared.application.onboard import onboard
from shared.application.provider_policy import policy_for
from shared.application.replay_ports import ReplayPorts
from shared.application.request_onboarding import WaitPorts
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import connector_id_for, desired_project_body, to_create
from shared.domain.gcp_connector_api import OFFERING_OF, Project
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.offboarding import Lock
from shared.domain.placement import place
from shared.domain.policy import Deletions, Mode, Policy
from shared.errors import ConfigurationError
from shared.messages.connector_request import Action, ConnectorRequest
from shared.messages.parked_request import ParkedRequest
from tests.fakes.aws import FakeAccountDirectory, FakeAccountListing
from tests.fakes.clock import NOON
from tests.fakes.gcp import FakeProjects
from tests.fakes.ledger import FakeSweepLog
from tests.fakes.queues import FakeGivenUpQueue
from tests.fixtures.read import ACCOUNT_ID, account, request
from tests.unit.conftest import AzureSide
from tests.unit.test_offboard import Around, WorkingQueue
from tests.unit.test_policy_command import Said, Shell
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, ORGANIZATION, project

SHOP, SAND, CLOSED = "100000000101", "100000000102", "1000000000103"  # numbers have no fixed length
MANAGEMENT_ID = "mdc-mgmt-proj-123456789012"
NAMES = {SHOP: "acme-shop-1", SAND: "acme-sand-1", CLOSED: "acme-gone-1", MANAGEMENT: MANAGEMENT_ID}
ENTRY = {
    "protoPayload": {
        "serviceName": "cloudresourcemanager.googleapis.com",
        "methodName": "google.cloud.resourcemanager.v3.Projects.CreateProject",
        "request": {"project": {"projectId": NAMES[SHOP]}},
    },
    "insertId": "entry-1",
    "timestamp": (NOON - timedelta(hours=3)).isoformat(),
}


def shop(number: str, **changes: Any) -> Account:
    return project(number, **{"name": NAMES[number], **changes})


def key_of(number: str) -> AccountKey:
    return AccountKey(provider=Provider.GCP, hierarchy_identifier=number)


@dataclass
class Desk:
    """An operator's shell; whatever is asked for is worked on at once."""

    shell: Shell
    azure: AzureSide
    around: Around
    poison: FakeGivenUpQueue
    sent: WorkingQueue

    @property
    def projects(self) -> FakeProjects:
        return self.azure.google.of_projects

    def run(self, *arguments: str) -> Said:
        self.azure.snapshot.refresh()
        return self.shell.run(*arguments)

    def record(self, number: str = SHOP) -> AccountRecord | None:
        return self.azure.ledger.find(key_of(number))

    def change(self, **changes: Any) -> None:
        """Changes what the policy says about projects."""
        gcp = self.azure.source.policy.gcp
        assert gcp is not None
        self.azure.source.policy = replace(self.azure.source.policy, gcp=replace(gcp, **changes))

    def connect(self) -> None:
        """The Organization connector and one member."""
        for number in (MANAGEMENT, SHOP):
            assert self.run("onboard", number, "--provider", "gcp").code == 0
        self.sent.sent.clear()

    def park(self, body: bytes, remedy: str, reason: str = "why") -> None:
        parked = ParkedRequest.of(body, reason=reason, remedy=remedy, at=NOON - timedelta(hours=2)).to_json()
        message_id = f"message-{len(self.poison.messages)}"
        self.poison.messages[message_id] = base64.b64encode(parked.encode()).decode()


@pytest.fixture
def desk(policy: Policy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    azure = AzureSide(replace(policy, gcp=replace(MEMBER, content_hash=policy.content_hash)))
    for number, facts in {SHOP: {}, SAND: {"ou_path": "/Sandbox"}, MANAGEMENT: {"ou_path": "/"}}.items():
        azure.google.of_projects.add(shop(number, **facts))
    azure.google.of_projects.add(shop(CLOSED, state=AccountState.DELETE_REQUESTED))
    sent, poison, around = WorkingQueue(azure), FakeGivenUpQueue(azure.clock), Around()
    listing = FakeAccountListing(FakeAccountDirectory(account(), account("111111111111", is_management=True)))

    def projects(policies: Any) -> FakeProjects:
        policy_for(policies.current(), Provider.GCP)
        return azure.google.of_projects

    def replay_ports(_: str) -> ReplayPorts:
        return ReplayPorts(
            queues=(poison,),
            sender=sent,
            ledger=azure.ledger,
            policy=azure.source,
            clock=azure.clock,
            actor="somebody",
            projects=lambda: projects(azure.source),
        )

    class WorkedOn(FakeGivenUpQueue):
        def put(self, body: bytes) -> None:
            super().put(body)
            onboard(ConnectorRequest.from_json(body), azure.ports)

    poison.__class__ = WorkedOn
    said = SimpleNamespace(policy="policy.yaml", ledger=object(), arm_endpoint="https://arm.test")
    for name, answer in {
        "announce_sandbox": None,
        "settings": said,
        "credential": None,
        "ledger": azure.ledger,
        "request_sender": sent,
        "snapshot": azure.snapshot,
        "connectors": azure.connectors,
        "subscriptions": azure.subscriptions,
        "wait_ports": WaitPorts(ledger=azure.ledger, clock=azure.clock),
    }.items():
        monkeypatch.setattr(bootstrap, name, lambda answer=answer: answer)
    monkeypatch.setattr(bootstrap, "policy_source", lambda _: azure.source)
    monkeypatch.setattr(bootstrap, "policy", azure.source.current)
    monkeypatch.setattr(cloud_bootstrap, "projects", projects)
    monkeypatch.setattr(cloud_bootstrap, "SystemClock", lambda: azure.clock)
    monkeypatch.setattr(surroundings, "ArmSurroundings", lambda *_, **__: around)
    monkeypatch.setattr(account_listing, "AwsAccountListing", lambda *_: listing)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: None)
    monkeypatch.setattr(queue_bootstrap, "replay_ports", replay_ports)
    monkeypatch.setattr(queue_bootstrap, "queue_gauges", list)
    monkeypatch.setattr(queue_bootstrap, "sweep_log", FakeSweepLog)
    monkeypatch.setattr(output.console, "_width", 80)
    monkeypatch.setattr(output.console, "_height", 40)
    return Desk(Shell(monkeypatch, capsys), azure, around, poison, sent)


def flat(text: str) -> str:
    return " ".join(text.split())


def test_plan_shows_projects_beside_accounts(desk: Desk) -> None:
    said = desk.run("plan")
    assert said.code == 0, said.err
    aws, gcp = said.out.split("GCP projects\n")
    assert aws.startswith("AWS accounts\n")
    assert f"{ACCOUNT_ID}  create" in aws
    assert f"{MANAGEMENT}  create     {MANAGEMENT_ID}" in gcp
    assert f"{SHOP}  waits      acme-shop-1  /Shops" in gcp
    assert f"the Organization connector {MEMBER.organization_connector.name} would leave alone" in gcp  # type: ignore[union-attr]
    assert SAND in gcp.split("would leave alone", 1)[1]
    assert gcp.rstrip().endswith("1 create · 1 waits · 2 excluded")


def test_plan_in_json_counts_by_provider_and_reads_nothing_but(desk: Desk) -> None:
    document = desk.run("plan", "--json").document
    totals = document["totals_by_provider"]
    assert {cloud: {k: v for k, v in each.items() if v} for cloud, each in totals.items()} == {
        "aws": {"create": 1, "excluded": 1},
        "gcp": {"create": 1, "waits": 1, "excluded": 2},
    }
    assert document["totals"]["create"] == 2
    by_id = {each["hierarchy_identifier"]: each for each in document["accounts"]}
    assert (by_id[SAND]["provider"], by_id[SAND]["reason"]) == ("gcp", "excluded by folder path /Sandbox")
    assert by_id[CLOSED]["reason"] == "the project is DELETE_REQUESTED"
    assert desk.sent.sent == []


@pytest.mark.parametrize(
    ("arguments", "clouds"),
    [
        (("--provider", "gcp"), {"gcp"}),
        (("--provider", "gcp", "--provider", "gcp"), {"gcp"}),
        (("--provider", "aws"), {"aws"}),
        (("--account", "acme-shop-1"), {"gcp"}),
        (("--account", SHOP), {"gcp", "aws"}),
        (("--account", CLOSED, "--provider", "gcp"), {"gcp"}),
        (("--ou", "/Shops"), {"gcp", "aws"}),
    ],
)
def test_plan_looks_where_the_question_may_mean_somebody(
    desk: Desk, arguments: tuple[str, ...], clouds: set[str]
) -> None:
    document = desk.run("plan", *arguments, "--json").document
    assert document["totals_by_provider"].keys() == clouds
    if "--provider" not in arguments:
        assert {each["name"] for each in document["accounts"]} == {"acme-shop-1"} | (
            {"acme-gone-1"} if "--ou" in arguments else set()
        )


def test_plan_without_google_credentials_leaves_nothing_out_in_silence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: Any) -> FakeProjects:
        raise ConfigurationError("this shell has no credentials", setting="X", remedy="Log in.")

    monkeypatch.setattr(cloud_bootstrap, "projects", none)
    said = desk.run("plan", "--json")
    assert (said.code, said.document.keys()) == (2, {"error"})
    assert said.document["error"]["remedy"] == "Log in. Or see the AWS accounts alone: --provider aws."
    assert desk.run("plan", "--provider", "gcp", "--json").document["error"]["remedy"] == "Log in."
    assert desk.run("plan", "--provider", "aws", "--json").code == 0


def test_plan_tells_what_would_change_what_is_anothers_and_what_has_left(desk: Desk) -> None:
    desk.connect()
    [parent] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == MANAGEMENT]
    data = parent.body["properties"]["environmentData"]["organizationalData"]
    body = {**parent.body, "properties": {**parent.body["properties"]}}
    body["properties"]["environmentData"] = {
        **parent.body["properties"]["environmentData"],
        "organizationalData": {**data, "excludedProjectNumbers": [SHOP]},
    }
    desk.azure.connectors.plant(parent.connector_id, body)
    theirs = connector_id_for(SAND, replace(MEMBER.target, resource_group="theirs"), Provider.GCP)
    foreign = desired_project_body(Project(number=SAND, project_id="x"), MEMBER.default_profile, MEMBER.target, "9")
    desk.azure.connectors.plant(theirs, to_create(foreign))
    desk.projects.add(shop(SAND, ou_path="/Shops"))
    del desk.projects.projects[SHOP]
    said = desk.run("plan", "--provider", "gcp")
    assert said.code == 1
    assert "environmentData.organizationalData.excludedProjectNumbers" in said.out
    assert "another's connector, which is not ours, has the project" in said.out
    assert "made in another mode, it cannot be taken over" in flat(said.out)
    assert "the organization does not list the project; its connector would stay" in flat(said.out)
    desk.change(deletions=Deletions(departed_accounts=True))
    [gone] = [each for each in desk.run("plan", "--json").document["accounts"] if each["hierarchy_identifier"] == SHOP]
    assert (gone["action"], gone["provider"]) == ("remove", "gcp")
    assert "batch" not in gone["reason"]


@pytest.mark.parametrize("words", [("plan", "--provider", "gcp"), ("policy", "explain"), ("onboard",), ("offboard",)])
def test_a_policy_without_projects_is_told(desk: Desk, words: tuple[str, ...]) -> None:
    desk.azure.source.policy = replace(desk.azure.source.policy, gcp=None)
    told = [] if words[0] == "plan" else ["acme-shop-1"]
    said = desk.run(*words, *told, "--json")
    assert (said.code, said.document["error"]["reason"]) == (2, "the policy says nothing about projects")
    assert "section `gcp`" in said.document["error"]["remedy"]
    assert "docs/policy.md" in said.document["error"]["remedy"]
    assert desk.sent.sent == []


def test_explain_names_rule_plans_place_and_body_of_a_project(desk: Desk) -> None:
    said = desk.run("policy", "explain", "acme-shop-1")
    assert said.code == 0, said.err
    assert said.out.startswith(f"project {SHOP}  acme-shop-1  /Shops\n")
    for line in ("plans     CspmMonitorGcp", "cloudresourcemanager.googleapis.com", "rule      none matches"):
        assert line in said.out
    assert "roles" not in said.out.split("body")[0]
    document = desk.run("policy", "explain", SHOP, "--provider", "gcp", "--json").document
    assert document["account"]["provider"] == "gcp"
    assert document["connector_id"].endswith(f"/gcp-{SHOP}")
    assert document["body"]["properties"]["environmentName"] == "GCP"
    assert document["profile"]["roles"] == []
    assert set(document["profile"]["plans"]) == set(OFFERING_OF.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("acme-sand-1",), "exclude: excluded by folder path /Sandbox"),
        (("acme-gone-1",), "exclude: the project is DELETE_REQUESTED"),
        (("55", "--provider", "gcp", "--ou", "/Sandbox/X", "--name", "acme-new-1"), "excluded by folder path /Sandbox"),
        (
            ("55", "--provider", "gcp", "--ou", "/", "--name", "acme-new-1", "--tag", "defender=exempt"),
            "exclude: excluded by label defender=exempt",
        ),
        (("55", "--provider", "gcp", "--ou", "/", "--name", "sys-123456"), "excluded by project id sys-*"),
        ((MANAGEMENT, "--provider", "gcp", "--ou", "/", "--name", MANAGEMENT_ID), "the Organization connector"),
        ((ACCOUNT_ID, "--ou", "/Sandbox", "--name", "x"), "012345678901  x  /Sandbox"),
    ],
)
def test_explain_of_a_project_as_it_is_or_as_it_is_told(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    answer = desk.run("policy", "explain", *arguments)
    assert (answer.code, said in answer.out) == (0, True), (answer.out, answer.err)
    assert ("\nrule " in answer.out) is ("\nexclude" not in answer.out), "whom the policy excludes gets no profile"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("acme-none-1",), 1, "the organization has no project acme-none-1"),
        (("12345",), 2, "for a GCP project's number say --provider gcp"),
        (("No Project",), 2, "neither an AWS account nor a GCP project"),
        (("acme-shop-1", "--provider", "aws"), 2, "twelve digits"),
        (("acme-shop-1", "--name", "x"), 2, "need --ou"),
        (("acme-shop-1", "--ou", "/"), 2, "named by its number"),
        ((SHOP, "--provider", "gcp", "--ou", "Shops", "--name", "acme-shop-1"), 2, "begins with a slash"),
        ((SHOP, "--provider", "gcp", "--ou", "/", "--name", "acme-shop-1", "--tag", "x"), 2, "KEY=VALUE"),
    ],
)
def test_what_cannot_be_explained_is_refused(desk: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = desk.run("policy", "explain", *arguments)
    assert (answer.code, said in flat(answer.err)) == (code, True), answer.err


def test_onboard_makes_the_organization_connector_and_tells_it_whom_to_leave_alone(desk: Desk) -> None:
    said = desk.run("onboard", MANAGEMENT_ID)
    assert said.code == 0, said.err
    [parent] = desk.azure.connectors.everything()
    assert parent.organizational_data["organizationMembershipType"] == "Organization"
    assert SAND in parent.excluded_accounts
    assert SHOP not in parent.excluded_accounts


def test_onboard_asks_for_a_project_by_id_or_number_and_the_second_time_changes_nothing(desk: Desk) -> None:
    desk.connect()
    puts = len(desk.azure.connectors.puts)
    document = desk.run("onboard", "acme-shop-1", "--json").document
    assert (document["state"], document["hierarchy_identifier"]) == ("connected", SHOP)
    assert len(desk.azure.connectors.puts) == puts
    [note, asked] = desk.sent.requests
    assert (note.data.hierarchy_identifier, note.data.told.included) == (MANAGEMENT, frozenset({SHOP}))
    assert (asked.data.action, asked.data.source, asked.data.organization) == (Action.CONNECT, "rollcall", ORGANIZATION)
    waited = desk.run("onboard", "acme-shop-1", "--wait", "0", "--json")
    assert waited.document == {"event_id": waited.document["event_id"], "hierarchy_identifier": SHOP}


@pytest.mark.parametrize(
    ("project_id", "state", "reason"),
    [
        ("acme-sand-1", "excluded", "excluded by folder path /Sandbox"),
        ("acme-gone-1", "departed", "the project is DELETE_REQUESTED"),
    ],
)
def test_onboard_of_a_project_that_takes_no_part_says_why(desk: Desk, project_id: str, state: str, reason: str) -> None:
    said = desk.run("onboard", project_id)
    assert (said.code, state in said.out, reason in said.out) == (0, True, True)
    assert desk.azure.connectors.everything() == []


@pytest.mark.parametrize(
    ("now", "state"),
    [({"ou_path": "/Sandbox"}, "excluded"), ({"state": AccountState.DELETE_REQUESTED}, "departed")],
)
def test_onboard_takes_no_connector_away_whatever_the_policy_says(desk: Desk, now: dict[str, Any], state: str) -> None:
    desk.connect()
    desk.projects.add(shop(SHOP, **now))
    desk.change(deletions=Deletions(excluded_accounts=True, departed_accounts=True))
    desk.azure.clock.advance(60)
    said = desk.run("onboard", "acme-shop-1")
    assert (said.code, said.out.startswith(state)) == (0, True), said.err
    assert SHOP in {each.hierarchy_identifier for each in desk.azure.connectors.everything()}


def test_plan_refuses_projects_of_another_mode(desk: Desk) -> None:
    desk.change(mode=Mode.STANDALONE, organization_connector=None)
    gcp = desk.azure.source.policy.of(Provider.GCP)
    assert gcp is not None
    alone = place(gcp, SHOP, gcp.default_profile, gcp.target, NAMES[SHOP])
    desk.azure.connectors.plant(alone.connector_id, to_create(alone.desired))
    desk.change(mode=MEMBER.mode, organization_connector=MEMBER.organization_connector)
    said = desk.run("plan", "--provider", "gcp", "--json")
    keys = {each["hierarchy_identifier"]: each["key"] for each in said.document["accounts"]}
    assert (said.code, keys[SHOP], keys[MANAGEMENT]) == (1, "membership-change", "mode-switch")
    remedies = {each["hierarchy_identifier"]: each["remedy"] for each in said.document["accounts"]}
    assert "offboard the project" in remedies[SHOP]


def test_onboard_of_a_member_that_waits_for_its_parent_says_for_what(desk: Desk) -> None:
    said = desk.run("onboard", "acme-shop-1", "--wait", "1")
    assert said.code == 1
    assert "it is deferred, there is no Organization connector" in flat(said.err)
    assert "rollcall status acme-shop-1 --provider gcp" in flat(said.err)


def test_onboard_of_a_state_that_nobody_knows_asks_for_nothing(desk: Desk) -> None:
    desk.projects.add(shop(SHOP, state=AccountState.UNKNOWN))
    assert desk.run("onboard", "acme-shop-1").code == 1
    assert desk.sent.sent == []


def test_a_single_project_s_connector_is_not_adopted_where_it_would_have_to_become_a_member(desk: Desk) -> None:
    desk.connect()
    [member] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == SHOP]
    data = dict(member.body["properties"]["environmentData"], organizationalData=None)
    body = {**member.body, "tags": {}, "properties": {**member.body["properties"], "environmentData": data}}
    desk.azure.connectors.plant(member.connector_id, body)
    before = len(desk.sent.sent)
    said = desk.run("onboard", SHOP, "--provider", "gcp", "--adopt")
    assert (said.code, "Runbook: membership-change" in flat(said.err)) == (1, True)
    left = desk.azure.connectors.find(member.connector_id)
    assert left is not None
    assert (left.organization, len(desk.sent.sent)) == (None, before)
    planned = desk.run("plan", "--provider", "gcp", "--account", SHOP)
    assert ("cannot be taken over" in flat(planned.out), "--adopt" in planned.out) == (True, False)


def test_adopt_takes_over_the_connector_of_a_cloud_and_of_no_other(desk: Desk) -> None:
    desk.connect()
    [parent] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == MANAGEMENT]
    desk.azure.connectors.plant(parent.connector_id, {**parent.body, "tags": {}})
    account_s = connector_id_for(MANAGEMENT, MEMBER.target)
    of_aws = {"hierarchyIdentifier": MANAGEMENT, "environmentName": "AWS"}
    desk.azure.connectors.plant(account_s, {"properties": of_aws})
    said = desk.run("onboard", MANAGEMENT, "--provider", "gcp", "--adopt")
    assert "adopted" in said.err
    taken = desk.azure.connectors.find(parent.connector_id)
    assert taken is not None
    assert taken.organization == ORGANIZATION
    untouched = desk.azure.connectors.find(account_s)
    assert untouched is not None
    assert untouched.organization is None


def test_status_shows_both_clouds_and_one_project_by_number_or_id(desk: Desk) -> None:
    desk.connect()
    desk.run("onboard", "acme-sand-1")
    onboard(request(), desk.azure.ports)
    said = desk.run("status")
    lines = said.out.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith(("account ", "project "))] == [
        ["account", "name"],
        ["project", "id"],
    ]
    assert "accounts: 1 connected" in lines
    assert "projects: 1 excluded · 2 connected" in lines
    assert all(len(line.rstrip()) <= 80 for line in lines)
    assert MANAGEMENT_ID[:20] in said.out
    only = desk.run("status", "--provider", "gcp")
    assert "account " not in only.out
    assert "projects: 1 excluded · 2 connected" in only.out
    document = desk.run("status", "--json").document
    assert document["totals_by_provider"] == {"aws": {"connected": 1}, "gcp": {"excluded": 1, "connected": 2}}
    for one in (("acme-shop-1",), (SHOP,), (SHOP, "--provider", "gcp")):
        shown = desk.run("status", *one)
        assert shown.out.startswith(f"project {SHOP}  acme-shop-1  /Shops\n")
        assert "project: https://console.cloud.google.com/welcome?project=acme-shop-1" in shown.out
        assert "cloudformation" not in shown.out
        assert desk.run("status", *one, "--json").document["provider"] == "gcp"


def test_a_number_of_both_clouds_is_never_guessed(desk: Desk) -> None:
    desk.connect()
    onboard(request(data={"hierarchy_identifier": SHOP}), desk.azure.ports)
    before = len(desk.sent.sent)
    for words in (
        ("status", SHOP),
        ("onboard", SHOP),
        ("offboard", SHOP),
        ("replay", "run", "--all", "--account", SHOP),
        ("replay", "discard", "--all", "--account", SHOP, "--reason", "x"),
    ):
        said = desk.run(*words)
        assert (said.code, "say --provider gcp for the project" in flat(said.err)) == (2, True), words
    assert len(desk.sent.sent) == before
    assert desk.run("status", SHOP, "--provider", "aws", "--json").document["provider"] == "aws"
    assert desk.run("status", SHOP, "--provider", "gcp", "--json").document["provider"] == "gcp"


@pytest.mark.parametrize("words", [("onboard",), ("offboard",), ("policy", "explain")])
def test_a_project_of_another_organization_is_told_from_one_out_of_sight(desk: Desk, words: tuple[str, ...]) -> None:
    desk.projects.elsewhere.add("acme-none-1")
    said = desk.run(*words, "acme-none-1")
    told = f"project acme-none-1 is not in the organization of the policy, {ORGANIZATION}"
    assert (said.code, told in flat(said.err)) == (1, True), said.err
    assert told not in flat(desk.run(*words, "acme-none-2").err)


@pytest.mark.parametrize("words", [("status",), ("onboard",), ("offboard",)])
def test_a_project_that_nobody_knows_is_told(desk: Desk, words: tuple[str, ...]) -> None:
    said = desk.run(*words, "acme-none-1")
    assert said.code == 1
    assert "acme-none-1" in said.err
    assert desk.sent.sent == []


@pytest.mark.parametrize(
    "words", [("status",), ("onboard",), ("offboard",), ("policy", "explain"), ("plan", "--account")]
)
def test_a_number_that_only_a_project_can_have_needs_its_cloud(desk: Desk, words: tuple[str, ...]) -> None:
    said = desk.run(*words, CLOSED)
    assert (said.code, "for a GCP project's number say --provider gcp" in flat(said.err)) == (2, True)
    assert desk.run(*words, CLOSED, "--provider", "gcp").code == (1 if words == ("status",) else 0)


def test_offboard_says_what_goes_and_what_stays_and_then_does_it(desk: Desk) -> None:
    desk.connect()
    said = desk.run("offboard", "acme-shop-1")
    assert said.code == 0, said.err
    lines = {line.split(" ", 1)[0] for line in said.out.splitlines()}
    assert lines == {"project", "delete", "google", "apis", "warning", "nothing"}
    assert f"project  {SHOP} acme-shop-1" in said.out
    assert desk.sent.sent == []
    done = desk.run("offboard", "acme-shop-1", "--confirm", "--json").document
    assert (done["state"], done["provider"], done["roles_removed"]) == ("offboarded", "gcp", False)
    assert {each.hierarchy_identifier for each in desk.azure.connectors.everything()} == {MANAGEMENT}
    assert said.out.endswith("nothing was changed; --confirm does it\n")
    again = desk.run("offboard", SHOP, "--provider", "gcp")
    assert "there is nothing of ours to remove" in again.out
    assert (again.code, "--confirm" in again.out) == (0, False)


def test_offboard_promises_nothing_that_it_would_refuse(desk: Desk) -> None:
    desk.connect()
    members = desk.run("offboard", MANAGEMENT_ID)
    assert members.code == 1
    assert "\ndelete" not in members.out
    assert members.out.endswith("--confirm would be refused, too\n")
    assert f"`rollcall offboard {MANAGEMENT} --provider gcp --confirm`" in members.out
    document = desk.run("offboard", MANAGEMENT_ID, "--json")
    assert (document.code, document.document["refused"], document.document["confirmed"]) == (1, True, False)
    desk.around.locks.append(Lock(lock_id="/subscriptions/s/locks/l", level="CanNotDelete"))
    locked = desk.run("offboard", "acme-shop-1")
    assert (locked.code, "\ndelete" in locked.out, "would be refused" in locked.out) == (1, False, True)
    desk.around.locks.clear()
    assert desk.run("offboard", "acme-shop-1", "--json").document["refused"] is False
    [mine] = [each for each in desk.azure.connectors.everything() if each.hierarchy_identifier == SHOP]
    theirs = connector_id_for(SHOP, replace(MEMBER.target, resource_group="theirs"), Provider.GCP)
    desk.azure.connectors.plant(theirs, mine.body | {"tags": {}})
    look = desk.run("offboard", "acme-shop-1")
    assert (look.code, look.out.endswith("would be refused, too\n")) == (1, True)
    refused = desk.run("offboard", "acme-shop-1", "--confirm")
    assert (refused.code, f"`rollcall onboard {SHOP} --provider gcp --adopt`" in flat(refused.err)) == (1, True)


def test_the_organization_connector_stays_while_members_stand_below_it(desk: Desk) -> None:
    desk.connect()
    refused = desk.run("offboard", MANAGEMENT_ID, "--confirm")
    assert refused.code == 1
    assert "1 member connector(s) in the tenant stand below the Organization connector" in flat(refused.err)
    assert desk.sent.sent == []
    asked = request(
        "connector-request-1.connect",
        data={
            "provider": "gcp",
            "organization": ORGANIZATION,
            "hierarchy_identifier": MANAGEMENT,
            "action": "disconnect",
            "status": "offboarded",
        },
        occurred_at=desk.azure.clock.now().isoformat(),
    )
    assert onboard(asked, desk.azure.ports).key == "organization-connector-in-use"
    parked = desk.record(MANAGEMENT)
    assert parked is not None
    assert f"`rollcall offboard {MANAGEMENT} --provider gcp --confirm`" in parked.remedy
    assert desk.azure.connectors.deletes == []
    assert desk.run("offboard", "acme-shop-1", "--confirm").code == 0
    assert desk.run("offboard", MANAGEMENT_ID, "--confirm").code == 0
    assert desk.azure.connectors.everything() == []


def test_backfill_names_projects_as_plan_does(desk: Desk) -> None:
    said = desk.run("backfill", "--provider", "gcp", "--dry-run")
    assert f"{SAND}  acme-sand-1  noted without a connector: excluded by folder path /Sandbox" in said.out.splitlines()
    document = desk.run("backfill", "--provider", "gcp", "--dry-run", "--json").document
    told = {(each["provider"], each["hierarchy_identifier"], each["name"]) for each in document["accounts"]}
    assert told == {("gcp", number, name) for number, name in NAMES.items()}


@pytest.mark.parametrize("gone", ["deleted", "excluded", "out of sight"])
def test_a_project_that_takes_no_part_any_more_can_be_offboarded(desk: Desk, gone: str) -> None:
    desk.connect()
    if gone == "out of sight":
        del desk.projects.projects[SHOP]
    elif gone == "deleted":
        desk.projects.add(shop(SHOP, state=AccountState.DELETE_REQUESTED))
    else:
        desk.projects.add(shop(SHOP, ou_path="/Sandbox"))
    looked = desk.run("offboard", "acme-shop-1")
    assert "warning" not in looked.out
    assert ("does not list it" in looked.out) is (gone == "out of sight")
    assert desk.run("offboard", "acme-shop-1", "--confirm").code == 0
    found = desk.record()
    assert found is not None
    assert found.state is State.OFFBOARDED


def push(entry: dict[str, Any] = ENTRY) -> bytes:
    data = base64.b64encode(json.dumps(entry).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": "1"}, "subscription": "s"}).encode()


@pytest.fixture
def parked(desk: Desk) -> Desk:
    """One request about an account, one about a project, two pushes: one out of sight then, one broken."""
    desk.connect()
    now = desk.azure.clock.now().isoformat()
    about = {"provider": "gcp", "organization": ORGANIZATION, "hierarchy_identifier": SHOP, "name": "acme-shop-1"}
    desk.park(request().to_json().encode(), "Do it. Runbook: scope-locked.")
    desk.park(
        request(data={**about, "ou_path": "/Shops", "tags": {}}, occurred_at=now).to_json().encode(),
        "Do it. Runbook: scope-locked.",
    )
    desk.park(push(), "Give it. Runbook: project-not-visible.")
    desk.park(b'{"message": {"data": "%%%"}}', "See it. Runbook: unreadable-push.")
    return desk


def test_replay_lists_projects_and_pushes_with_cloud_and_id(parked: Desk) -> None:
    said = parked.run("replay", "list")
    rows = {line.split()[1] for line in said.out.splitlines() if line.startswith("message-")}
    assert rows == {ACCOUNT_ID, f"gcp-{SHOP}", "gcp"}
    assert "acme-shop-1" in said.out
    assert all(len(line.rstrip()) <= 80 for line in said.out.splitlines())
    document = parked.run("replay", "list", "--provider", "gcp", "--json").document
    assert document["totals"] == {"scope-locked": 1, "project-not-visible": 1, "unreadable-push": 1}
    assert {each["project_id"] for each in document["messages"]} == {"acme-shop-1", None}
    for who in ("acme-shop-1", SHOP):
        found = parked.run("replay", "list", "--account", who, "--json").document["messages"]
        assert {each["asks"] for each in found} >= {"connect:deployed"}
        assert {each["provider"] for each in found} == {"gcp"}
    assert parked.run("replay", "list", "--provider", "aws", "--json").document["count"] == 1


def test_replay_shows_a_push_and_whether_it_can_be_read(parked: Desk) -> None:
    broken = parked.run("replay", "show", "message-3")
    assert broken.out.startswith("a push that names no project")
    assert "cause:    remains: the message's data is not Base64" in broken.out
    seen = parked.run("replay", "show", "message-2")
    assert seen.out.startswith("project acme-shop-1  push:CreateProject")
    assert "cause:    unknown" in seen.out
    project_s = parked.run("replay", "show", "message-1", "--json").document
    assert project_s["diagnosis"] == {
        "cause": "moot",
        "why": "the project is connected; a replay changes nothing",
    }


def test_replay_says_that_the_policy_leaves_a_project_out_or_knows_none(parked: Desk) -> None:
    del parked.azure.ledger._records[key_of(SHOP)]
    gcp = parked.azure.source.policy.gcp
    assert gcp is not None
    parked.change(exclusions=replace(gcp.exclusions, names=("acme-*",)))
    left_out = parked.run("replay", "show", "message-1", "--json").document["diagnosis"]
    assert left_out["why"] == "the policy leaves the project out: excluded by project id acme-*"
    parked.azure.source.policy = replace(parked.azure.source.policy, gcp=None)
    silent = parked.run("replay", "show", "message-1", "--json").document["diagnosis"]
    assert silent == {"cause": "remains", "why": "the policy says nothing about projects"}
    done = parked.run("replay", "run", "message-2")
    assert (done.code, "the policy says nothing about projects" in flat(done.err)) == (1, True)
    assert "message-2" in parked.poison.messages


def test_replay_sends_a_projects_message_again_and_reads_a_push_again(parked: Desk) -> None:
    parked.run("offboard", "acme-shop-1", "--confirm")
    parked.azure.clock.advance(60)
    parked.sent.sent.clear()
    dry = parked.run("replay", "run", "--all", "--account", "acme-shop-1", "--dry-run", "--json").document
    assert (dry["done"], dry["failed"], parked.sent.sent) == (2, 0, [])
    done = parked.run("replay", "run", "message-2", "--json").document
    assert (done["done"], done["failed"]) == (1, 0)
    assert "message-2" not in parked.poison.messages
    told, asked, noted = parked.sent.requests
    assert (told.data.hierarchy_identifier, asked.data.hierarchy_identifier) == (MANAGEMENT, SHOP)
    assert asked.data.action is Action.CONNECT
    assert noted.data.reason == "its push was read again by somebody"
    found = parked.record()
    assert found is not None
    assert found.state is State.CONNECTED
    again = parked.run("replay", "run", "--all", "--account", SHOP, "--provider", "gcp", "--json").document
    assert (again["done"], again["failed"]) == (1, 0)
    assert len(parked.poison.put_bodies) == 1


def test_a_broken_push_is_mended_and_then_read(parked: Desk, tmp_path: Path) -> None:
    file = tmp_path / "push.json"
    assert parked.run("replay", "show", "message-3", "--export", str(file)).code == 0
    assert parked.run("replay", "run", "message-3").code == 1
    file.write_bytes(push({**ENTRY, "protoPayload": {**ENTRY["protoPayload"], "status": {"code": 7}}}))  # type: ignore[dict-item]
    refused = parked.run("replay", "run", "message-3", "--from", str(file))
    assert (refused.code, "failed with code 7" in flat(refused.err)) == (1, True)
    file.write_bytes(push())
    assert parked.run("replay", "run", "message-3", "--from", str(file)).code == 0
    assert "message-3" not in parked.poison.messages
    assert parked.sent.requests[-2].data.name == "acme-shop-1"


def test_a_push_of_a_project_that_is_still_out_of_sight_stays(parked: Desk) -> None:
    del parked.projects.projects[SHOP]
    done = parked.run("replay", "run", "message-2")
    assert (done.code, "cannot be seen" in done.err) == (1, True)
    assert "message-2" in parked.poison.messages
    assert parked.sent.sent == []


def test_a_push_is_discarded_only_with_a_file_that_keeps_it(parked: Desk, tmp_path: Path) -> None:
    assert parked.run("replay", "discard", "message-3", "--reason", "x").code == 1
    kept = tmp_path / "kept.jsonl"
    assert parked.run("replay", "discard", "message-3", "--reason", "x", "--export", str(kept)).code == 0
    assert json.loads(kept.read_text())["reason_class"] == "unreadable-push"
    assert parked.run("replay", "discard", "message-1", "--reason", "sold").code == 0
    assert "discarded by somebody: sold" in parked.sent.requests[-1].data.reason
    assert parked.sent.requests[-1].key == key_of(SHOP)
