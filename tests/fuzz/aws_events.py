"""What both batch functions of AWS get from SQS, and the comparison's function: one odd record among good ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lambdas import doctor
from lambdas.batch import logged, run_batch
from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.reconcile_events import read_reconcile_event
from shared.adapters.aws.stack_events import read_stack_event
from shared.adapters.policy.problems import parse_policy
from shared.application.deploy_accounts import deploy_accounts
from shared.application.report_instance import report_instances
from shared.domain.stack_sets import InstanceState, StackInstance
from tests.fixtures.read import ACCOUNT_ID, account, fixture
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch, WrongError
from tests.unit.conftest import AwsSide

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"
GOOD = {"account": "move_account", "stack": "stack_instance.succeeded"}
CLOSING = {"event_handled", "event_ignored", "event_failed"}
ODD = "odd"


class AwsEvents:
    """Surface: SQS records."""

    name = "aws-events"

    @cached_property
    def bases(self) -> Sequence[Base]:
        """Every event of the fixtures, and what `rollcall doctor` asks."""
        files = {path.stem: path.read_bytes() for path in sorted(EVENTS.glob("*.json"))}
        return [Base(name, content, content) for name, content in files.items()]

    @cached_property
    def _policy(self) -> Any:
        return parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")

    def take(self, case: Case, watch: Watch) -> str:
        """The record in one of the three functions; in two of them between two good ones."""
        body = case.content.decode("utf-8", "replace")
        if case.choice % 16 == 15 or case.base.startswith("reconciliation"):
            with logged(ODD):
                return f"part of a run, after {bool(read_reconcile_event(body).after)}"
        kind = "stack" if case.base.startswith("stack") is (case.choice % 8 != 7) else "account"
        side = AwsSide(self._policy)
        if case.choice // 16 % 2:
            side.directory.accounts.clear()  # the account is gone meanwhile
        side.directory.add(account("111111111111"))
        for each in (ACCOUNT_ID, "111111111111"):
            asked = side.wanted(each) if case.choice // 32 % 8 else {}
            side.stack_sets.put(StackInstance(account_id=each, state=InstanceState.CURRENT, parameters=asked))
        good = fixture(f"events/{GOOD[kind]}.json").replace(ACCOUNT_ID, "111111111111")
        records = [_record("first", good), _record(ODD, body), _record("last", good)]
        failed = {each["itemIdentifier"] for each in _worked(kind, records, side)["batchItemFailures"]}
        closed = Counter(line.__dict__["message_id"] for line in watch.records if line.getMessage() in CLOSING)
        if failed - {ODD}:
            raise WrongError("a neighbour failed")
        if closed != Counter(["first", ODD, "last"]):
            raise WrongError("a record has no closing line, or two")
        line = next(each for each in watch.records if each.__dict__.get("message_id") == ODD)
        if (line.getMessage() == "event_failed") is not (ODD in failed):
            raise WrongError("what is said of a record is not what is done with it")
        return f"{kind} {line.getMessage()} {line.__dict__.get('outcome', '')}".strip()


def _record(message_id: str, body: str) -> dict[str, Any]:
    return {"messageId": message_id, "body": body, "eventSource": "aws:sqs", "attributes": {}}


def _worked(kind: str, records: Sequence[Mapping[str, Any]], side: AwsSide) -> Mapping[str, list[dict[str, str]]]:
    doctor.is_asked({"Records": list(records)})
    work: dict[str, Callable[[], Mapping[str, list[dict[str, str]]]]] = {
        "account": lambda: run_batch(records, read_account_event, lambda found: deploy_accounts(found, side.deploy)),
        "stack": lambda: run_batch(records, read_stack_event, lambda found: report_instances(found, side.report)),
    }
    return work[kind]()
