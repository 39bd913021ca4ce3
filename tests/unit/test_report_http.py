"""ƒ report: the page and the typed data, with what keeps a browser from doing more than showing them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import azure.functions as func
import pytest

from functions.operator_gate import caller_of
from functions.report import report
from functions.report_entry import answer
from shared.errors import ConfigurationError, TransientError
from shared.messages.roll_report import read_report
from tests.fakes.sweep import SweepWorld
from tests.unit.test_report import ports
from tests.unit.test_sweep import IDS, world

__all__ = ["world"]


def asked(**params: str) -> func.HttpRequest:
    return func.HttpRequest(method="GET", url="https://app/api/report", params=params, headers={}, body=b"")


def test_a_browser_gets_a_page_that_it_may_not_keep_guess_or_embed(
    world: SweepWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world.tenant.connectors.pop(0)
    world.sweep()
    caplog.clear()
    with caplog.at_level("INFO", logger="functions"):
        found = answer(asked(), ports(world), "object-id")
    assert (found.status_code, found.mimetype, found.charset) == (200, "text/html", "utf-8")
    headers = dict(found.headers)
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("; frame-ancestors 'none'")
    assert policy.removesuffix("; frame-ancestors 'none'") in found.get_body().decode().replace("&#39;", "'")
    [line] = caplog.records
    assert (line.message, line.__dict__["caller"], line.__dict__["findings"]) == ("report_made", "object-id", 1)


def test_the_typed_data_are_there_too(world: SweepWorld) -> None:
    world.tenant.connectors.pop(0)
    world.sweep()
    found = answer(asked(format="json"), ports(world), "object-id")
    assert (found.status_code, found.mimetype) == (200, "application/json")
    assert dict(found.headers)["Cache-Control"] == "no-store"
    assert [each.account for each in read_report(found.get_body()).open] == [IDS[0]]


def test_another_format_is_refused(world: SweepWorld) -> None:
    found = answer(asked(format="pdf"), ports(world), "object-id")
    assert found.status_code == 400
    assert "html, json" in json.loads(found.get_body())["error"]["reason"]


def test_nobody_is_let_in_where_nobody_is_an_operator(caplog: pytest.LogCaptureFixture) -> None:
    found = caller_of(asked(), None)
    assert isinstance(found, func.HttpResponse)
    assert (found.status_code, found.get_body()) == (401, b"")
    assert [line.message for line in caplog.records] == ["caller_refused"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(TransientError("the table is busy"), 503), (ConfigurationError("no rights", setting="x", remedy="Give."), 500)],
)
def test_what_cannot_be_read_is_answered_with_its_reason(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("functions.bootstrap.operator_verifier", Knows)
    monkeypatch.setattr("functions.sweep_bootstrap.report_ports", fails)
    context = SimpleNamespace(trace_context=SimpleNamespace(trace_parent=""))
    found = report(asked(), context)
    assert found.status_code == status
    assert json.loads(found.get_body())["error"]["reason"] == str(error.args[0])
    assert [line.message for line in caplog.records] == ["report_failed"]


class Knows:
    """Takes everybody for an operator."""

    def caller(self, header: str | None) -> str:
        """Whoever."""
        return "object-id"
