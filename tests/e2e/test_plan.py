"""`rollcall plan` on 300 accounts after a profile was changed: it is right, reads little and writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import QUEUE_SENDER_FUNCTIONS
from sandbox.faults import Fault, FaultKind
from sandbox.journal import JournalEntry
from shared.adapters.policy.problems import parse_policy
from shared.domain.accounts import Account, AccountState
from shared.domain.connectors import ConnectorBody, to_create
from shared.domain.placement import place
from shared.domain.policy import Policy, decide
from tests.e2e.processes import Command
from tests.e2e.roll import Roll, running

READ_LIMIT = 30
READS = {
    "organizations:DescribeOrganization",
    "organizations:ListAccounts",
    "organizations:ListOrganizationalUnitsForParent",
    "arm:QueryResources",
    "managed-identity:GetToken",
    "arm:GetSubscription",
    "arm:ListPricings",
    "arm:ListPermissions",
    "arm:ListClassicConnectors",
    "table:QueryEntities",
}
UNITS = {
    "/": 100,
    "/Workloads/Production": 60,
    "/Workloads/Production/EU": 40,
    "/Workloads/Dev": 90,
    "/Quarantine": 10,
}
TEMPLATE = """
version: 1
organization: {organization}
tenant: {tenant}
target: {{subscription: {subscription}, resource_group: rg-defender-connectors, location: westeurope}}
profiles:
  production: {production}
default_profile: foundational
rules: [{{match: {{ou_paths: [/Workloads/Production]}}, profile: production}}]
exclusions: {{ou_paths: [/Quarantine]}}
"""
BEFORE = "{plans: [defender_cspm, containers]}"
AFTER = "{plans: {containers: {audit_logs: false}, servers: true}, scan_interval_hours: 12}"
CHANGED_FIELDS = {
    "properties.environmentData.scanInterval": (24, 12),
    "properties.offerings[DefenderForContainersAws].enableAuditLogsAutoProvisioning": (True, False),
    "properties.offerings[DefenderCspmAws]": (dict, type(None)),
    "properties.offerings[DefenderForServersAws]": (type(None), dict),
}


@dataclass(frozen=True, kw_only=True)
class Bank:
    """The organization as it was planted, under the policy that was in force before."""

    roll: Roll
    folder: Path
    accounts: dict[str, list[str]]
    new: list[str]
    foreign: list[str]
    kept: list[str]
    departed: list[str]

    def run(self, *arguments: str, columns: int = 200) -> Command:
        """`rollcall plan` in the sandbox's folder."""
        return Command(self.folder, "plan", *arguments, COLUMNS=str(columns))

    def write_policy(self, production: str) -> str:
        """A policy file with that profile for production."""
        (self.folder / "policy.yaml").write_bytes(policy_text(self.roll, production))
        return "policy.yaml"


def policy_text(roll: Roll, production: str) -> bytes:
    organization = roll.client("organizations").describe_organization()["Organization"]["Id"]
    settings = roll.sandbox.settings
    text = TEMPLATE.format(
        organization=organization,
        tenant=settings.tenant_id,
        subscription=settings.subscription_id,
        production=production,
    )
    return text.encode()


def resource(policy: Policy, account_id: str, ou_path: str, **changes: Any) -> ConnectorBody:
    """The connector that the policy asks for, as Resource Manager keeps it."""
    found = Account(account_id=account_id, name="", state=AccountState.ACTIVE, ou_path=ou_path)
    decision = decide(policy, found)
    placement = place(policy, account_id, decision.profile, decision.target)
    return {
        "id": str(placement.connector_id),
        "name": placement.connector_id.name,
        "type": "Microsoft.Security/securityConnectors",
        **to_create(placement.desired),
        **changes,
    }


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    folder = tmp_path_factory.mktemp("plan")
    with running(folder / ".sandbox", resource_graph_lag_seconds=0) as roll:
        yield planted(roll, folder)


def planted(roll: Roll, folder: Path) -> Bank:
    before = parse_policy(policy_text(roll, BEFORE), "before")
    wanted = [
        {"name": f"{path.rpartition('/')[2] or 'root'}-{number}".lower(), "parent_id": unit, **special(path, number)}
        for path, count in UNITS.items()
        for unit in [roll.make_unit(*path.strip("/").split("/")) if path != "/" else roll.make_unit()]
        for number in range(count)
    ]
    planted_ids = iter(roll.seed(accounts=wanted)["accounts"])
    accounts = {path: [next(planted_ids) for _ in range(count)] for path, count in UNITS.items()}
    root, quarantine = accounts["/"], accounts["/Quarantine"]
    bank = Bank(
        roll=roll,
        folder=folder,
        accounts=accounts,
        new=root[:20],
        foreign=root[20:25],
        kept=quarantine[:4],
        departed=[f"99999999990{number}" for number in range(3)],
    )
    without = {*bank.new, *quarantine[4:], *accounts["/Workloads/Dev"][:3]}
    connectors = [
        resource(before, account_id, "/" if path == "/Quarantine" else path)
        for path, ids in accounts.items()
        for account_id in ids
        if account_id not in without
    ]
    for connector in connectors:
        if connector["properties"]["hierarchyIdentifier"] in bank.foreign:
            connector["tags"] = {"owner": "somebody"}
            connector["id"] = connector["id"].replace("/aws-", "/by-hand-")
    connectors += [resource(before, account_id, "/") for account_id in bank.departed]
    google = resource(before, "999999999999", "/")
    google["properties"]["environmentName"] = "GCP"
    roll.seed(resources=[*connectors, google])
    return bank


def special(path: str, number: int) -> dict[str, str]:
    """Two accounts of Dev are suspended and one is not activated yet."""
    states = {0: "SUSPENDED", 1: "SUSPENDED", 2: "PENDING_ACTIVATION"}
    return {"state": states[number]} if path == "/Workloads/Dev" and number in states else {}


def by_command(entries: list[JournalEntry]) -> list[JournalEntry]:
    """Without what the deployment's own functions do meanwhile: they ask their queues for messages."""
    ours = ("rollcall-functions", *(f":role/rollcall-{name}" for name in QUEUE_SENDER_FUNCTIONS))
    return [entry for entry in entries if not entry.identity.endswith(ours)]


def kind_of(value: Any) -> Any:
    """A whole offering as its type, anything else as it is."""
    return type(value) if value is None or isinstance(value, dict) else value


@pytest.fixture(scope="module")
def planned(bank: Bank) -> tuple[Command, list[JournalEntry]]:
    """The changed policy, planned, and what every service got meanwhile."""
    policy, before = bank.write_policy(AFTER), len(bank.roll.journal)
    return bank.run("--policy", policy, "--json"), bank.roll.journal.entries(since=before)


def test_a_changed_profile_is_planned_with_right_totals_and_fewer_than_thirty_reads(
    planned: tuple[Command, list[JournalEntry]], capsys: pytest.CaptureFixture[str]
) -> None:
    done, requests = planned
    reads = Counter(entry.operation for entry in by_command(requests))
    with capsys.disabled():
        print(f"\nreads by `rollcall plan` on 300 accounts: {reads.total()} {dict(reads)}")
    assert done.code == 1, done.err  # some accounts are another's
    assert done.document["totals"] == {
        "create": 20,
        "change": 100,
        "remove": 0,
        "refused": 5,
        "departed": 3,
        "stays": 4,
        "waits": 1,
        "excluded": 9,
        "unchanged": 162,
    }
    assert set(reads) <= READS
    assert reads.total() < READ_LIMIT
    assert [entry for entry in requests if entry.service == "arm" and entry.operation not in READS] == []


def test_every_account_is_planned_field_by_field(bank: Bank, planned: tuple[Command, list[JournalEntry]]) -> None:
    document = planned[0].document
    by_id = {account["hierarchy_identifier"]: account for account in document["accounts"]}
    assert len(by_id) == len(document["accounts"])
    assert len(document["policy_hash"]) == 64
    production = [*bank.accounts["/Workloads/Production"], *bank.accounts["/Workloads/Production/EU"]]
    for account_id in production:
        account = by_id[account_id]
        assert (account["action"], account["profile"]) == ("change", "production")
        changes = {each["path"]: (kind_of(each["now"]), kind_of(each["wanted"])) for each in account["changes"]}
        assert changes == CHANGED_FIELDS
    assert {by_id[each]["ou_path"] for each in bank.accounts["/Workloads/Production/EU"]} == {
        "/Workloads/Production/EU"
    }
    for action, ids in (("create", bank.new), ("refused", bank.foreign), ("stays", bank.kept)):
        assert {by_id[account_id]["action"] for account_id in ids} == {action}
    assert all(by_id[each]["connector_id"].endswith(f"/by-hand-{each}") for each in bank.foreign)
    assert all(f"/by-hand-{each}" in by_id[each]["reason"] for each in bank.foreign)
    assert sorted(each for each, account in by_id.items() if account["action"] == "departed") == bank.departed
    assert "nothing is deleted without opt-in" in by_id[bank.kept[0]]["reason"]
    warned = {warning["key"]: len(warning["accounts"]) for warning in document["warnings"]}
    assert warned == {"agent-settings": 100, "audit-logs-off": 100, "owner-assumed": 100, "plan-removed": 100}


def test_what_an_owner_is_needed_for_is_refused_where_there_is_none(bank: Bank) -> None:
    planned = bank.run("--policy", bank.write_policy(AFTER), "--no-owner", "--ou", "/Workloads/Production", "--json")
    assert planned.code == 1, planned.err
    told = {(account["action"], account["key"]) for account in planned.document["accounts"]}
    assert told == {("refused", "owner-missing")}
    assert "Runbook: owner-missing." in planned.document["accounts"][0]["remedy"]


def test_people_read_it_in_eighty_columns(bank: Bank) -> None:
    said = bank.run("--policy", bank.write_policy(AFTER), columns=80)
    assert said.code == 1
    lines = said.out.splitlines()
    assert [line for line in lines if len(line) > 80 and "/securityConnectors/" not in line] == []
    assert lines.count("    DefenderForContainersAws.enableAuditLogsAutoProvisioning: true → false") == 100
    totals = "20 create · 100 change · 5 refused · 3 departed · 4 stays · 1 waits · 9 excluded · 162 unchanged"
    assert " ".join(said.out.split()).endswith(totals)
    assert "171 need nothing" in said.err


def test_without_any_setting_the_policy_in_force_is_planned(bank: Bank) -> None:
    before = len(bank.roll.journal)
    [account_id] = bank.new[:1]
    planned = bank.run("--account", account_id, "--json")
    assert planned.code == 0, planned.err
    [account] = planned.document["accounts"]
    assert (account["hierarchy_identifier"], account["action"]) == (account_id, "create")
    operations = Counter(entry.operation for entry in by_command(bank.roll.journal.entries(since=before)))
    assert operations["organizations:ListTagsForResource"] == 1  # of that account alone; the sample policy has tags


def test_a_unit_is_planned_alone(bank: Bank) -> None:
    planned = bank.run("--policy", bank.write_policy(BEFORE), "--ou", "/Workloads/Production", "--json")
    assert planned.code == 0, planned.err
    assert planned.document["totals"]["unchanged"] == len(planned.document["accounts"]) == 100


def test_an_incomplete_listing_plans_nothing(bank: Bank) -> None:
    fault = Fault(service="organizations", operation="ListOrganizationalUnitsForParent", kind=FaultKind.ERROR, rate=1)
    bank.roll.sandbox.faults.plant(fault)
    try:
        planned = bank.run("--policy", bank.write_policy(AFTER), "--json")
    finally:
        bank.roll.sandbox.faults.clear()
    assert planned.code == 1
    assert planned.document.keys() == {"error"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--policy", "broken.yaml"), 2, "broken.yaml"),
        (("--account", "12345"), 2, "twelve digits"),
        (("--account", "888888888888"), 1, "888888888888"),
        (("--ou", "/Nowhere"), 1, "/Nowhere"),
    ],
)
def test_what_cannot_be_planned_is_refused(bank: Bank, arguments: tuple[str, ...], code: int, said: str) -> None:
    (bank.folder / "broken.yaml").write_text("version: 2\n", encoding="utf-8")
    refused = bank.run(*arguments, "--json")
    assert (refused.code, refused.document.keys()) == (code, {"error"})
    assert said in " ".join(refused.err.split())
