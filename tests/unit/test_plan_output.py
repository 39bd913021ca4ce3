"""`rollcall plan` on terminals of any width and in pipes: nothing is cut, nothing is obeyed, one document is one."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cli import plan as command
from cli.output import write_json
from shared.application.plan import Preview
from shared.domain.connectors import ConnectorId
from shared.domain.preview import Action, Change, PlannedAccount
from shared.domain.preview_notes import Note
from shared.domain.standing import DUPLICATE
from tests.unit.test_output import HOSTILE, SHOWN

CONNECTOR = ConnectorId(
    subscription_id="0b7c1f8e-2d54-4a8a-9a43-7f9f5f6f1c21",
    resource_group="rg-defender-connectors",
    name="aws-012345678901",
)
LONGEST = "properties.offerings[DefenderForContainersAws].mdcContainersAgentlessDiscoveryK8s.cloudRoleArn"
ROLE = "arn:aws:iam::012345678901:role/MDCContainersAgentlessDiscoveryK8sRole"
REASON = "because of this and that, " * 6 + "at last"
CHANGES = (
    Change(path="properties.environmentData.scanInterval", now=24, wanted=12),
    Change(path=LONGEST, now=None, wanted=ROLE),
    Change(path="properties.offerings[DefenderCspmAws]", now={"offeringType": "DefenderCspmAws"}, wanted=None),
    Change(path="properties.offerings[DefenderForServersAws]", now=None, wanted={"subPlan": "P2"}),
)


def planned(action: Action, number: int) -> PlannedAccount:
    return PlannedAccount(
        hierarchy_identifier=f"{number:012d}",
        action=action,
        reason=REASON,
        name="an-account-of-a-rather-long-name",
        ou_path="/Workloads/Production/Europe/Payments/Team Seven",
        profile="recommended",
        connector_id=CONNECTOR,
        changes=CHANGES if action is Action.CHANGE else (),
        notes=(Note(key="k", message="agents have one setting " * 6),) if action is Action.CHANGE else (),
    )


PREVIEW = Preview(policy_hash="h", accounts=tuple(planned(action, number) for number, action in enumerate(Action)))


def shown(monkeypatch: pytest.MonkeyPatch, preview: Preview, width: int, *, show_all: bool = False) -> str:
    printed = io.StringIO()
    monkeypatch.setattr(command, "console", Console(file=printed, width=width))
    monkeypatch.setattr(command, "progress", Console(file=io.StringIO(), width=width))
    command.show(preview, show_all=show_all)
    return printed.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_longer_than_the_terminal_but_those_of_ids(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = shown(monkeypatch, PREVIEW, width)
    assert [line for line in text.splitlines() if len(line) > width and str(CONNECTOR) not in line] == []
    for account in PREVIEW.accounts:
        listed = account.action not in {Action.EXCLUDED, Action.UNCHANGED}
        assert (account.hierarchy_identifier in text) is listed
    assert text.count(str(CONNECTOR)) == 5  # those of create, change and of what is not listed are left out
    assert ROLE in "".join(line.strip() for line in text.splitlines())


def test_in_a_pipe_each_fact_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, PREVIEW, 10_000).splitlines()
    assert "    environmentData.scanInterval: 24 → 12" in lines
    assert "    DefenderCspmAws: taken off" in lines
    assert "    DefenderForServersAws: added" in lines
    assert f'    {LONGEST.replace("properties.offerings[", "").replace("]", "")}: absent → "{ROLE}"' in lines
    assert [line for line in lines if line != line.rstrip()] == []
    assert lines[-1] == " · ".join(f"1 {action}" for action in Action)


def test_what_needs_nothing_is_listed_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, PREVIEW, 80, show_all=True)
    assert all(account.hierarchy_identifier in text for account in PREVIEW.accounts)


def test_a_warning_says_how_many_accounts_it_is_about(monkeypatch: pytest.MonkeyPatch) -> None:
    note = Note(key="plan-removed", message="extensions stay")
    accounts = tuple(
        PlannedAccount(hierarchy_identifier=f"{number:012d}", action=Action.CHANGE, reason="r", notes=(note,))
        for number in range(3)
    )
    text = shown(monkeypatch, Preview(policy_hash="h", accounts=accounts), 80)
    assert text.count("warning: extensions stay (3 accounts)") == 1


def test_hostile_text_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    change = Change(path=f"tags.{HOSTILE}", now=HOSTILE, wanted=None)
    account = PlannedAccount(
        hierarchy_identifier="012345678901",
        action=Action.CHANGE,
        reason=HOSTILE,
        name=HOSTILE,
        ou_path=HOSTILE,
        changes=(change,),
    )
    text = shown(monkeypatch, Preview(policy_hash="h", accounts=(account,)), 1000)
    assert "\x1b" not in text
    assert text.count(SHOWN) >= 4
    assert text.count("\n") == 4


def test_what_is_refused_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    remedy = "Switch the plans on. Runbook: subscription-plan-off."
    refused = replace(planned(Action.REFUSED, 1), key="subscription-plan-off", reason="plans are off", remedy=remedy)
    lines = shown(monkeypatch, Preview(policy_hash="h", accounts=(refused,)), 200).splitlines()
    assert lines[1:4] == ["    plans are off", f"    {remedy}", f"    {CONNECTOR}"]
    foreign = replace(refused, key=DUPLICATE, reason=f"connected already by {CONNECTOR}", remedy="Remove it.")
    lines = shown(monkeypatch, Preview(policy_hash="h", accounts=(foreign,)), 200).splitlines()
    assert lines[1:4] == [
        "    another's connector, which is not ours, has the account",
        "    Remove it.",
        f"    {CONNECTOR}",
    ]


def test_an_empty_organization_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Preview(policy_hash="h"), 80) == "no accounts\n"


def test_the_document_has_every_account_and_every_total(capsys: pytest.CaptureFixture[str]) -> None:
    write_json(command.plan_json([PREVIEW]))
    document = json.loads(capsys.readouterr().out)
    assert document.keys() == {"policy_hash", "totals", "totals_by_provider", "warnings", "accounts"}
    assert document["totals"] == dict.fromkeys(map(str, Action), 1)
    assert document["totals_by_provider"] == {"aws": document["totals"]}
    assert len(document["accounts"]) == len(Action)
    changed = document["accounts"][list(Action).index(Action.CHANGE)]
    assert changed == {
        "provider": "aws",
        "hierarchy_identifier": "000000000001",
        "name": "an-account-of-a-rather-long-name",
        "ou_path": "/Workloads/Production/Europe/Payments/Team Seven",
        "action": "change",
        "reason": REASON,
        "key": None,
        "remedy": None,
        "profile": "recommended",
        "connector_id": str(CONNECTOR),
        "changes": [{"path": each.path, "now": each.now, "wanted": each.wanted} for each in CHANGES],
    }
    assert document["warnings"] == [
        {"key": "k", "message": "agents have one setting " * 6, "provider": "aws", "accounts": ["000000000001"]}
    ]
