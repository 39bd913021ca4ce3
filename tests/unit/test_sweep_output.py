"""What `rollcall sweep` prints: whole ids, no broken lines, nothing that a terminal would obey."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cli.sweep import findings_lines, summary
from shared.application.documents import sweep_document
from shared.domain.sweep.findings import Gap
from shared.domain.sweep.kinds import CONNECTOR_MISSING, MACHINE_ORPHANED, SWEEP_INCOMPLETE
from shared.domain.sweep.paid_plans import PlanUse
from shared.domain.sweep.report import SliceResult, Standing, SweepReport, Tracked
from shared.messages.sweep_documents import REPORT as REPORT_DOCUMENT
from shared.messages.sweep_documents import RESULT
from tests.fakes.clock import NOON

ACCOUNT = "012345678901"
MACHINE = f"/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/machines/i-{'0' * 40}"
HOSTILE = "\x1b[31mred\x07 [bold]x[/bold] \u202eevil <script>"
FINDINGS = (
    CONNECTOR_MISSING.about(ACCOUNT, f"no connector {HOSTILE}", account=ACCOUNT),
    MACHINE_ORPHANED.about(MACHINE, "its instance is gone", account=ACCOUNT),
    SWEEP_INCOMPLETE.about("sweep", "not everything: " + "because " * 40),
)
REPORT = SweepReport(
    run="20261120T120000Z-00000000",
    started_at=NOON,
    ended_at=NOON,
    policy_hash="",
    slices=1,
    complete=False,
    findings=tuple(Tracked(finding=each, standing=Standing.NEW, first_seen=NOON, last_seen=NOON) for each in FINDINGS),
    gaps=(Gap(reason=f"denied {HOSTILE}"),),
    looked={"accounts": 3},
    asked=(ACCOUNT,),
)


def printed(width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    for part in findings_lines(REPORT.findings, width):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 79, 80, 119, 120, 160, 10_000])
def test_ids_are_whole_and_no_line_is_too_long(width: int) -> None:
    lines = printed(width)
    assert max(map(len, lines)) <= width
    assert sum(ACCOUNT in line for line in lines) == 2
    for key in ("connector-missing", "machine-orphaned", "sweep-incomplete"):
        assert any(key in line for line in lines)
    assert not {"\x1b", "\x07", "\u202e"} & set("".join(lines))
    assert "[bold]x[/bold]" in " ".join("".join(lines).split())


def test_into_a_file_each_finding_is_one_line() -> None:
    assert len(printed(10_000)) == 1 + len(FINDINGS)


def test_a_project_is_told_from_an_account_of_the_same_digits() -> None:
    both = [CONNECTOR_MISSING.about(subject, "none", account=ACCOUNT) for subject in (ACCOUNT, f"projects/{ACCOUNT}")]
    tracked = [Tracked(finding=each, standing=Standing.NEW, first_seen=NOON, last_seen=NOON) for each in both]
    console = Console(file=io.StringIO(), width=10_000)
    for part in findings_lines(tracked, 10_000):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    told = [line.split()[3:5] for line in console.file.getvalue().splitlines()[1:]]
    assert told == [[ACCOUNT, "none"], [ACCOUNT, "project"]]


def test_projects_that_are_asked_for_again_have_their_ids_beside_their_numbers() -> None:
    asked = replace(REPORT, asked=(ACCOUNT, "1000000000103"), names={"1000000000103": "acme-shop-1"})
    assert f"asked for again: {ACCOUNT}, 1000000000103 acme-shop-1" in summary(asked)
    was = json.loads(REPORT_DOCUMENT.dump_json(REPORT))
    assert was.pop("names") == {}
    assert REPORT_DOCUMENT.validate_json(json.dumps(was)) == REPORT


def test_where_nothing_is_found_there_is_no_empty_table() -> None:
    assert list(findings_lines((), 120)) == []


def test_the_summary_says_what_is_not_known() -> None:
    lines = summary(REPORT)
    assert lines[0] == "2 high · 1 medium; looked at 3 accounts in 0 s"
    assert lines[-1] == "the sweep is incomplete: what it did not see is not gone"


def test_what_was_discovered_is_one_short_line() -> None:
    counted = {f"type{number}": 50 - number for number in range(40)} | {"other": 7}
    [line] = [each for each in summary(replace(REPORT, discovered=counted)) if each.startswith("discovered")]
    rest = sum(counted.values()) - sum(50 - number for number in range(8))
    assert line.startswith("discovered: 50 type0 · 49 type1 · ")
    assert line.endswith(f" · 43 type7 · {rest} of other types")
    few = summary(replace(REPORT, discovered={"ec2instance": 3, "s3bucket": 1}))
    assert "discovered: 3 ec2instance · 1 s3bucket" in few
    assert not any("discovered" in each for each in summary(REPORT))


def test_a_document_from_before_types_were_counted_is_read() -> None:
    was = json.loads(REPORT_DOCUMENT.dump_json(REPORT))
    assert was.pop("discovered") == {}
    assert REPORT_DOCUMENT.validate_json(json.dumps(was)) == REPORT
    result = json.loads(RESULT.dump_json(SliceResult(number=1, discovered={"ec2instance": 1})))
    del result["discovered"]
    assert RESULT.validate_json(json.dumps(result)) == SliceResult(number=1)


def test_the_document_has_every_identity_and_is_json() -> None:
    document = json.loads(json.dumps(sweep_document(REPORT), default=str))
    assert [each["identity"] for each in document["findings"]] == [each.identity for each in FINDINGS]
    assert document["discovered"] == {}
    assert document["totals"] == {"high": 2, "medium": 1, "low": 0}


def test_the_summary_counts_paid_plans_where_there_are_any() -> None:
    assert not any(line.startswith("paid plans") for line in summary(REPORT))
    plans = {"databases": PlanUse(connectors=1), "servers": PlanUse(connectors=12, billed=9, on_trial=3)}
    lines = summary(replace(REPORT, plans=plans))
    assert lines[1] == (
        "paid plans: databases on 1 connector(s), 0 past the trial · servers on 12 connector(s), 9 past the trial"
    )
    document = json.loads(json.dumps(sweep_document(replace(REPORT, plans=plans)), default=str))
    assert document["plans"]["servers"] == {"connectors": 12, "billed": 9, "on_trial": 3}
