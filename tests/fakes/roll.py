"""A roll of any size for the report: accounts in units, findings about them, a month of sweeps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, State
from shared.domain.queues import QueueDepth
from shared.domain.report.roll import RollReport, Seen, roll_report
from shared.domain.report.runs import RunSummary, summarized
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import SWEEP_KINDS
from shared.domain.sweep.paid_plans import PlanUse
from shared.domain.sweep.report import Standing, SweepReport, Tracked
from shared.domain.sweeps import Sweep
from tests.fakes.clock import NOON

NIGHT = NOON - timedelta(hours=7)
TEAMS = ("payments", "search", "ledger", "identity", "data-lake", "shop", "mobile", "risk", "claims", "marketing")
STAGES = ("prod", "staging", "dev", "sandbox")
STATES = (*[State.CONNECTED] * 17, State.DEFERRED, State.PARKED, State.EXCLUDED)
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(document.domain)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd",
    "\t=1+1",
    "invoice\u202egpj.exe",
    "\u200fabc \u05d0\u05d1\u05d2",
    "👩‍👩‍👧 family 🚀",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "{{ 7 * 7 }}{% raw %}",
    "${jndi:ldap://x}",
    "<!--",
    "]]>",
    "a\u2028b\u2029c",
    "long " * 51 + "x",
)
"""Names that somebody may give an account, a unit or a machine: 256 characters at most."""


def record(number: int, *, name: str = "", path: str = "", state: State | None = None) -> AccountRecord:
    """An account of AWS, or each tenth a project of Google's; new accounts were connected within minutes or hours."""
    provider = Provider.GCP if number % 10 == 9 else Provider.AWS
    team, stage = TEAMS[number % len(TEAMS)], STAGES[number // 7 % len(STAGES)]
    joined = NOON - timedelta(days=1 + number % 300, minutes=number % 1440)
    chosen = state or STATES[number * 7 % len(STATES)]
    waited = timedelta(seconds=150 + number * 37 % 600 + (number % 97 == 0) * 9000)
    connector = (
        f"/subscriptions/00000000-0000-4000-8000-0000000000f1/resourceGroups/rg-defender/providers/Microsoft.Security"
        f"/securityConnectors/{provider}-{number:012d}"
    )
    return AccountRecord(
        key=AccountKey(provider=provider, hierarchy_identifier=f"{100_000_000_000 + number}"),
        name=name or f"{team}-{stage}-{number}",
        ou_path=path or (f"/Workloads/{stage.title()}/{team}" if provider is Provider.AWS else f"/cloud/{team}"),
        state=chosen,
        state_at=joined + waited,
        joined_at=joined,
        connected_at=joined + waited if chosen is State.CONNECTED else None,
        connector_id=connector if chosen is State.CONNECTED else "",
        reason="" if chosen is State.CONNECTED else "Azure refuses the connector until its roles are there",
        remedy="" if chosen is State.CONNECTED else "Deploy the roles, then `rollcall replay run`.",
    )


def found(number: int, about: AccountRecord) -> Tracked:
    """A finding of any kind about an account."""
    kind = SWEEP_KINDS[number % len(SWEEP_KINDS)]
    account, name = about.key.hierarchy_identifier, about.name
    subject = f"{about.connector_id or account}#{number}"
    evidence = {"scenario": "cspm", "since": NIGHT.isoformat(), "issue": f"issue-{number % 5}", "seen": name}
    if kind.key == "trial-ends":
        evidence = {"ends_at": (NOON + timedelta(days=1 + number % 6)).isoformat()}
    if kind.key == "machine-orphaned":
        subject = (
            f"/subscriptions/s/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/i-{number:017x}"
            f"#i-{number:017x}@{NIGHT.isoformat()}"
        )
        evidence = {"instance": f"i-{number:017x}", "status": "Expired", "status_since": NIGHT.isoformat()} | {
            "beyond_doubt": "yes"
        }
    reason = f"{name} differs from the policy in {number % 7 + 1} place(s)"
    if kind.key == "connector-unhealthy":
        reason = f"Defender calls it unhealthy: {('Missing role', 'Expired template', 'Provider changed')[number % 3]}"
    finding = kind.about(subject, reason, account=account, evidence=evidence)
    standing = (Standing.NEW, Standing.STILL, Standing.STILL, Standing.STILL, Standing.RESOLVED)[number % 5]
    return Tracked(finding=finding, standing=standing, first_seen=NIGHT - timedelta(days=number % 30), last_seen=NIGHT)


def about(finding: SweepFinding) -> Tracked:
    """It is new."""
    return Tracked(finding=finding, standing=Standing.NEW, first_seen=NIGHT, last_seen=NIGHT)


def newest(findings: Sequence[Tracked], accounts: int) -> SweepReport:
    """The sweep of last night."""
    return SweepReport(
        run=f"{NIGHT:%Y%m%dT%H%M%SZ}-0123abcd",
        started_at=NIGHT - timedelta(minutes=4),
        ended_at=NIGHT,
        policy_hash="h",
        slices=accounts // 100 + 2,
        complete=True,
        findings=tuple(findings),
        looked={"accounts": accounts, "connectors": accounts},
        plans={"servers_p1": PlanUse(connectors=120, billed=90, on_trial=22)},
        deleted=("/subscriptions/s/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/i-0",),
    )


def month(report: SweepReport, records: Sequence[AccountRecord]) -> list[RunSummary]:
    """Thirty sweeps that end with this one: accounts come, one sweep is incomplete, one did not count."""
    counted = Counter((each.key.provider, each.state) for each in records)
    made = []
    for ago in range(30):
        share = 1 - ago / 60
        states = {
            provider: {state: int(counted[provider, state] * share) for state in State if counted[provider, state]}
            for provider in Provider
        }
        one = summarized(report, None if ago == 12 else states)
        at = report.ended_at - timedelta(days=ago)
        changes = {"run": f"{at:%Y%m%dT%H%M%SZ}-0123abcd", "started_at": at - timedelta(minutes=4), "ended_at": at}
        if ago == 3:
            changes |= {"complete": False, "not_seen": ("account 100000000004 gave no answer",)}
        made.append(RunSummary(**(vars(one) | changes)))
    return made


def roll(accounts: int = 60, findings: int = 80, *, names: Sequence[str] = (), now: datetime = NOON) -> RollReport:
    """A report with so many accounts and findings; the first accounts and their units have these names."""
    records = [record(number) for number in range(accounts)]
    for number, name in enumerate(names[:accounts]):
        path = f"/Workloads/{name.replace('/', '%2F')}"
        records[number] = record(number, name=name, path=path)
    report = newest([found(number, records[number % accounts]) for number in range(findings)], accounts)
    return roll_report(
        Seen(
            records=records,
            newest=report,
            summaries=month(report, records),
            unfinished=("20261119T050000Z-ffffffff",),
            queues=(
                QueueDepth(name="onboarding", waiting=3, oldest_at=now - timedelta(minutes=2)),
                QueueDepth(name="onboarding-poison", waiting=2, oldest_at=now - timedelta(days=3), given_up=True),
                QueueDepth(name="account-events-dead", problem="AWS does not answer", given_up=True),
            ),
            sweeps=(Sweep(name="sweep", at=NIGHT, seen=2 * accounts, failed=0),),
            unread=("account-events-dead: AWS does not answer",),
        ),
        now,
    )
