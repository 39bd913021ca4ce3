"""The figures that the Lambda functions leave in their log for CloudWatch."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from lambdas.batch import logged, run_batch
from lambdas.metrics import NAMESPACE, publish_outcomes, publish_reconciliation
from shared.adapters.aws.account_events import read_account_event
from shared.application.deploy_accounts import deploy_accounts
from shared.application.outcome import Outcome
from shared.application.reconcile import Looked, Reconciliation
from shared.domain.ledger import Result
from shared.domain.reconciliation import Signal
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError
from tests.fixtures.read import fixture
from tests.unit.conftest import AwsSide


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "reconcile-accounts")


def published(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one line of figures."""
    [line] = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    document: dict[str, Any] = json.loads(line)
    [group] = document["_aws"]["CloudWatchMetrics"]
    assert (group["Namespace"], group["Dimensions"]) == (NAMESPACE, [["service"]])
    units = {metric["Name"]: metric["Unit"] for metric in group["Metrics"]}
    assert units.pop("readiness_budget_used", "Percent") == "Percent"
    assert set(units.values()) == {"Count"}
    return {metric["Name"]: document[metric["Name"]] for metric in group["Metrics"]} | {"service": document["service"]}


def test_a_part_of_the_comparison_tells_its_accounts_by_signal(capsys: pytest.CaptureFixture[str]) -> None:
    looked = [
        Looked(account_id="1", signal=Signal.NOTE, reason="r"),
        Looked(account_id="2", signal=Signal.ACCOUNT_EVENT, reason="r"),
        Looked(account_id="3", signal=Signal.NOTE, reason="r", failed=True),
    ]
    publish_reconciliation(Reconciliation(accounts=tuple(looked), after=None))
    assert published(capsys) == {
        "service": "reconcile-accounts",
        "reconciled": [3.0],
        "runs_completed": [1.0],
        "failed": [1.0],
        "note": [1.0],
        "account_event": [1.0],
        "connect_request": [0.0],
        "waits": [0.0],
    }


def test_only_the_last_part_completes_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    looked = Looked(account_id="1", signal=Signal.NOTE, reason="r")
    publish_reconciliation(Reconciliation(accounts=(looked,), after="000000000001"))
    assert published(capsys)["runs_completed"] == [0.0]


def test_the_account_that_has_waited_longest_says_how_much_of_the_budget_is_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    waiting = [Outcome(result=Result.DEFERRED, budget_used=share) for share in (0.25, 0.755, 0.5)]
    publish_outcomes([*waiting, Outcome(result=Result.CREATED), TransientError("a")])
    figures = published(capsys)
    assert (figures["deferred"], figures["readiness_budget_used"]) == ([3.0], [75.5])
    publish_outcomes([Outcome(result=Result.CREATED)])
    assert "readiness_budget_used" not in published(capsys)


def test_a_batch_tells_its_accounts_by_outcome_and_an_empty_one_nothing(
    aws: AwsSide, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"messageId": "m", "body": fixture("events/create_account_result.succeeded.json")}
    run_batch([body], read_account_event, lambda signals: deploy_accounts(signals, aws.deploy))
    assert published(capsys) == {"service": "reconcile-accounts", "created": [1.0]}
    publish_outcomes([])
    assert capsys.readouterr().out == ""


def test_accounts_that_failed_are_counted(aws: AwsSide, capsys: pytest.CaptureFixture[str]) -> None:
    publish_outcomes([TransientError("a"), PermanentError("b")])
    assert published(capsys)["failed"] == [2.0]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (TransientError("later", key="aws-throttled"), "WARNING"),
        (PermanentError("never", key="aws-throttled"), "ERROR"),
        (ConfigurationError("wrong", setting="x", key="aws-throttled"), "CRITICAL"),
    ],
)
def test_what_ends_a_part_is_told_in_one_line_and_raised(
    error: RollcallError, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(type(error)), logged("m1"), caplog.at_level(logging.INFO, logger="lambdas"):
        raise error
    [line] = [line for line in caplog.records if line.name == "lambdas.batch"]
    assert (line.message, line.levelname) == ("event_failed", level)
    assert (line.__dict__["message_id"], line.__dict__["error_key"]) == ("m1", "aws-throttled")
