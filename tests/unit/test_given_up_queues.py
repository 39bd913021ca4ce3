"""Which queues `rollcall replay` looks through."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cli import bootstrap, queue_bootstrap
from shared.adapters.aws import dead_letters, queue_urls
from shared.domain.replay import EVENT_QUEUES

AWS_QUEUE = SimpleNamespace(name="account-events-dead-letters")


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A deployment; `credentials` are AWS's, `asked` counts how often AWS is."""
    facts: dict[str, Any] = {"credentials": object(), "asked": 0}
    deployment = SimpleNamespace(
        queue=SimpleNamespace(queueserviceuri="https://a.queue.core.windows.net", name="onboarding"),
        ledger=SimpleNamespace(tableserviceuri="https://a.table.core.windows.net"),
        stack_name="rollcall",
    )

    def queues(*_: Any, **__: Any) -> list[SimpleNamespace]:
        facts["asked"] += 1
        return [AWS_QUEUE]

    monkeypatch.setattr(bootstrap, "settings", lambda: deployment)
    monkeypatch.setattr(bootstrap, "credential", lambda: SimpleNamespace(get_token=None))
    monkeypatch.setattr(dead_letters, "dead_letter_queues", queues)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: None)
    session = SimpleNamespace(get_credentials=lambda: facts["credentials"])
    monkeypatch.setattr(boto3, "Session", lambda: session)
    return facts


@pytest.mark.parametrize(
    ("name", "expected", "asked"),
    [
        ("", ["onboarding-poison", AWS_QUEUE.name], 1),
        ("onboarding-poison", ["onboarding-poison"], 0),
        (AWS_QUEUE.name, [AWS_QUEUE.name], 1),
        ("stack-events-dead-letters", [], 1),
    ],
)
def test_all_or_the_one_that_is_named(shell: dict[str, Any], name: str, expected: list[str], asked: int) -> None:
    assert [each.name for each in queue_bootstrap.given_up_queues(name)] == expected
    assert shell["asked"] == asked


def test_without_aws_credentials_the_azure_queue_is_left_and_it_is_said(
    shell: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shell["credentials"] = None
    assert [each.name for each in queue_bootstrap.given_up_queues("")] == ["onboarding-poison"]
    assert shell["asked"] == 0
    assert "no AWS credentials" in " ".join(capsys.readouterr().err.split())


def test_a_queue_of_aws_that_is_named_is_asked_for_all_the_same(shell: dict[str, Any]) -> None:
    shell["credentials"] = None  # so that AWS's own refusal is what people see
    assert [each.name for each in queue_bootstrap.given_up_queues(AWS_QUEUE.name)] == [AWS_QUEUE.name]


def test_every_queue_of_events_can_be_named() -> None:
    assert tuple(queue_urls.OUTPUTS) == EVENT_QUEUES
