"""Cold starts: each Lambda function and the Function App against bare ones with the same SDKs and clients."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.cold_processes import Cold, event_of, first_answer, gather, indexed, waiting_lambda
from bench.least_aws import ACCOUNT, LeastAws, least_aws
from bench.result import Bar, Cell, Chart, Result, Table, Target
from sandbox.config import SandboxSettings
from sandbox.policy_upload import sample_policy

ROUNDS, FEW_ROUNDS = 31, 1
MOST = 1.25
ORGANIZATION = "o-exampleorgid"
LAMBDAS = ("account_events", "stack_events", "reconcile_accounts")
APP, FIRST_REQUEST = "function_app", "function_app, then what the first request needs"
_THEN = {
    "ours": ("from functions import bootstrap", "bootstrap.onboard_ports()"),
    "bare": ("from bench.bare import clients_of_app", "clients_of_app.build()"),
}
_APPS = {"ours": "function_app", "bare": "bench.bare.function_app"}


By = Callable[[Iterable[float]], float]
Ratio = Callable[["Pair", str], float]


@dataclass
class Pair:
    """The starts of ours and of the bare one, alternating."""

    ours: list[Cold] = field(default_factory=list)
    bare: list[Cold] = field(default_factory=list)

    def ratio(self, of: str) -> float:
        """Ours by bare: the median of the rounds' ratios, since what slows down one start slows down its neighbour."""
        rounds = zip(self.ours, self.bare, strict=True)
        return statistics.median(float(getattr(ours, of)) / float(getattr(bare, of)) for ours, bare in rounds)

    def ratio_of_fastest(self, of: str) -> float:
        """Ours by bare, of the fastest start of each."""
        return _figure(self.ours, of, min) / _figure(self.bare, of, min)


def _figure(starts: list[Cold], of: str, by: By) -> float:
    """In seconds; `of` is `wall` or `cpu`."""
    return by(float(getattr(start, of)) for start in starts)


def events() -> Mapping[str, bytes]:
    """For each function the event that asks the least of it, but builds all that its work needs."""
    now = datetime.now(UTC).isoformat()
    common = {"version": "0", "account": "999988887777", "region": "us-east-1", "time": now, "resources": []}
    return {
        "account_events": event_of(
            common
            | {"id": "1", "source": "rollcall", "detail-type": "Account Onboarding Requested"}
            | {"detail": {"accountId": ACCOUNT}}
        ),
        "stack_events": event_of(
            common
            | {"id": "2", "source": "aws.cloudformation"}
            | {"detail-type": "CloudFormation StackSet StackInstance Status Change"}
            | {
                "detail": {
                    "stack-id": f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/roles/1",
                    "action": "CREATE",
                    "status-details": {"detailed-status": "SUCCEEDED"},
                }
            }
        ),
        "reconcile_accounts": event_of(
            common
            | {"id": "3", "source": "rollcall.reconcile", "detail-type": "Reconciliation Requested"}
            | {"detail": {"run": "cold", "after": "999999999999"}}
        ),
    }


def lambda_variables(url: str) -> dict[str, str]:
    """The environment of a function; `url` is where AWS is."""
    settings = SandboxSettings()
    return {
        "AWS_ENDPOINT_URL": url,
        "POWERTOOLS_SERVICE_NAME": "cold",
        "ROLLCALL_POLICY": "s3://policies/policy.yaml",
        "ROLLCALL_STACK_SET_NAME": "rollcall-member-roles",
        "ROLLCALL_TENANT_ID": settings.tenant_id,
        "ROLLCALL_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
        "ROLLCALL_AUTHORITY_HOST": "https://localhost:1",
        "ROLLCALL_QUEUE__QUEUESERVICEURI": "https://localhost:1/queues",
        "ROLLCALL_READINESS__QUEUE_URL": f"{url}/999988887777/events",
    }


APP_VARIABLES = {
    "ROLLCALL_POLICY": "https://localhost:1/policies/policy.yaml",
    "ROLLCALL_QUEUE__QUEUESERVICEURI": "https://localhost:1/queues",
    "ROLLCALL_LEDGER__TABLESERVICEURI": "https://localhost:1/tables",
}


def measure(folder: Path, *, small: bool) -> Result:
    """Starts each of them `ROUNDS` times, ours and the bare one in turn."""
    rounds = FEW_ROUNDS if small else ROUNDS
    pairs = {name: Pair() for name in (*LAMBDAS, APP, FIRST_REQUEST)}
    with least_aws(sample_policy(ORGANIZATION, SandboxSettings())) as aws:
        starts = Starts(folder, aws)
        for number in range(rounds + 1):  # the first of each is for the disk's sake
            for name, pair in pairs.items():
                for side, kept in (("ours", pair.ours), ("bare", pair.bare)):
                    cold = starts.start(name, side)
                    if number:
                        kept.append(cold)
        starts.check()
    return result_of(pairs, rounds)


class Starts:
    """Starts of both sides, and what they asked for: a comparison of different work would say nothing."""

    def __init__(self, folder: Path, aws: LeastAws) -> None:
        """Copies the code of both into `folder`."""
        self._folder, self._aws = folder, aws
        self._code = {
            "ours": gather(folder / "ours", "lambdas", "shared", "functions", "function_app.py"),
            "bare": gather(folder / "bare", "bench/__init__.py", "bench/bare"),
        }
        self.did: dict[str, dict[str, list[str]]] = {}

    def start(self, name: str, side: str) -> Cold:
        """One start of a function or of the app."""
        if name in LAMBDAS:
            return self._lambda(name, side)
        then = _THEN[side] if name == FIRST_REQUEST else ()
        cold, names = indexed(self._code[side], _APPS[side], APP_VARIABLES, then=then)
        self.did.setdefault(name, {})[side] = ["function"] * len(names)
        return cold

    def _lambda(self, name: str, side: str) -> Cold:
        handler = f"lambdas.{name}.handler.handler" if side == "ours" else f"bench.bare.{name}.handler"
        variables, log = lambda_variables(self._aws.url), self._folder / f"{name}.log"
        self._aws.asked.clear()
        with waiting_lambda(self._code[side], handler, variables, log=log) as waiting:
            cold, answer = first_answer(waiting, events()[name])
        if (answer or {}).get("batchItemFailures"):
            raise RuntimeError(f"{name} ({side}) gave the event back")
        self.did.setdefault(name, {})[side] = sorted(self._aws.asked)
        return cold

    def check(self) -> None:
        """Raises RuntimeError where both sides asked AWS for different things, or have not as many functions."""
        if differing := {name: both for name, both in self.did.items() if both["ours"] != both["bare"]}:
            raise RuntimeError(f"ours and the bare one do different work: {differing}")


def result_of(pairs: Mapping[str, Pair], rounds: int) -> Result:
    """The figures, and the targets on the ratios of both."""
    head = ("start", "ours, ms", "bare, ms", "ratio", "ours, CPU ms", "bare, CPU ms", "CPU ratio")
    kinds: tuple[tuple[str, By, Ratio], ...] = (
        ("Medians", statistics.median, Pair.ratio),
        ("The fastest of each", min, Pair.ratio_of_fastest),
    )
    tables = [
        Table(title=title, head=head, rows=[_row(name, pair, by, ratio) for name, pair in pairs.items()])
        for title, by, ratio in kinds
    ]
    return Result(
        name="cold_start",
        title="Cold starts",
        what="From the start of the process to its first answer, against a bare one with the same SDKs and clients.",
        how=_how(rounds),
        tables=tuple(tables),
        chart=Chart(
            title="Process start to first answer, CPU time",
            unit="ms",
            bars=[
                Bar(
                    label=name,
                    value=round(1000 * _figure(pair.ours, "cpu", statistics.median)),
                    mark=round(1000 * _figure(pair.bare, "cpu", statistics.median)),
                )
                for name, pair in pairs.items()
            ],
            mark="the bare one",
        ),
        targets=tuple(_targets(pairs)),
    )


def _row(name: str, pair: Pair, by: By, ratio: Ratio) -> Sequence[Cell]:
    return (
        name,
        round(1000 * _figure(pair.ours, "wall", by)),
        round(1000 * _figure(pair.bare, "wall", by)),
        round(ratio(pair, "wall"), 3),
        round(1000 * _figure(pair.ours, "cpu", by)),
        round(1000 * _figure(pair.bare, "cpu", by)),
        round(ratio(pair, "cpu"), 3),
    )


def _targets(pairs: Mapping[str, Pair]) -> Iterator[Target]:
    for name in (*LAMBDAS, APP):
        for of, word in (("wall", "time"), ("cpu", "CPU time")):
            value = round(pairs[name].ratio(of), 3)
            what = f"{name}: {word}, ours by bare"
            yield Target(what=what, value=value, direction="at most", limit=MOST, timed=True)


def _how(rounds: int) -> Sequence[str]:
    return (
        f"{rounds} fresh processes each, ours and the bare one in turn, on Python "
        f"{sys.version.partition(' ')[0]}; one start of each before that does not count. Ratios beside medians, and "
        "targets, are the median of the rounds' ratios: what slows down a start slows down the one next to it, too.",
        "A Lambda function is the real runtime (awslambdaric) behind a Runtime API, with one event: an account "
        "whose stack instance is being worked on, the end of work on an instance that is worked on again, the last "
        "part of a run, for which no account is left. AWS is a small server on the same computer. The bare handler "
        "makes the same calls with the same clients, and reads the "
        "policy's YAML; it has none of Rollcall's code.",
        "Both sides import the same packages: boto3, Powertools, azure-identity, azure-storage-queue, pydantic, and "
        "PyYAML where a policy is read; the Function App azure-functions and OpenTelemetry. A test holds the bare "
        "ones to packages that ours loads.",
        "The Function App is imported and asked for its functions, as the host does. The last row is that and all "
        "clients that a request from the queue needs, with the Azure SDKs that both sides import for them.",
        "Code and packages are compiled on both sides. The deployed artefacts hold no bytecode: there both "
        "sides compile what they import.",
        "CPU time is user and system, all threads, up to the answer: a start waits for nothing but its own work "
        "and an answer from the same computer, and the clock shows what else runs there.",
    )
