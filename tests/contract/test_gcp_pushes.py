"""Pushes of GCP's audit log against what is published about them, over the Functions host, with keys over https."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from functions import bootstrap
from sandbox.functions_host.app_settings import AppSettings
from sandbox.functions_host.http_front import HttpFront
from sandbox.functions_host.indexing import index_app
from sandbox.functions_host.invocation import Invoker
from shared.adapters.gcp.project_events import read_push
from shared.adapters.tokens.signing_keys import SigningKeys, published_at
from shared.application.accept_project_event import ProjectMethod, ProjectSignal
from shared.errors import RollcallError
from tests.fakes.answering_azure import AnsweringAzure
from tests.fakes.clock import FakeClock
from tests.fakes.gcp_intake import AUDIENCE, KEY, OTHER, PUSHER, Pushers, key_set, push_token, pushed, wrapped

ROOT = Path(__file__).parents[2]
PATH = "/api/gcp/project-events"
KEYS = json.loads(key_set(one=KEY))
GOOGLE_SAYS = {"Cache-Control": "public, max-age=19845, must-revalidate, no-transform", "Age": "45"}


def published(evidence: Path, name: str) -> dict[str, Any]:
    """One of the published samples."""
    found: dict[str, Any] = json.loads((evidence / "reference" / "events" / f"gcp.{name}.json").read_text())
    return found


def test_the_published_envelope_is_read(evidence: Path) -> None:
    envelope = published(evidence, "pubsub_push_envelope")
    found = read_push(json.dumps(envelope).encode())
    assert isinstance(found, ProjectSignal)
    assert (found.method, found.project, found.number) == (ProjectMethod.CREATE, "acme-app-1", "")
    entry = published(evidence, "CreateProject.v3.CONSTRUCTED")["entry"]
    assert json.loads(base64.b64decode(envelope["message"]["data"])) == entry
    assert read_push(wrapped(json.dumps(entry).encode())) == found


def test_a_token_with_the_published_claims_is_let_in(evidence: Path) -> None:
    """Its times are moved to now: those that are published have passed."""
    sample = published(evidence, "pubsub_push_jwt")
    claims, kid, now = sample["claims"], sample["header"]["kid"], int(time.time())
    pushers = Pushers(audience=claims["aud"], service_account=claims["email"], kid=kid)
    shift = now - claims["iat"]
    moved = {name: claims[name] + shift - now for name in ("iat", "exp")}
    assert pushers.verifier.caller(push_token(kid=kid, **claims | moved)) == claims["sub"]


def test_keys_over_https_are_kept_as_their_headers_say(answers: AnsweringAzure) -> None:
    answers.plan({"status": 200, "body": KEYS, "headers": GOOGLE_SAYS})
    clock = FakeClock()
    keys = SigningKeys(published_at(f"{answers.url}/oauth2/v3/certs"), clock)
    for seconds, asked in ((0, 1), (19_800, 1), (1, 2)):
        clock.advance(seconds)
        assert keys.find("one") is not None
        assert answers.asked == ["GET /oauth2/v3/certs"] * asked


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "body": "<html>a proxy's own page</html>", "headers": {"Content-Type": "text/html"}},
        {"status": 302, "body": "", "headers": {"Location": "https://localhost/elsewhere"}},
        {"status": 404, "body": "not found"},
        {"status": 503, "body": "unavailable"},
    ],
    ids=lambda answer: str(answer["status"]),
)
def test_an_answer_without_keys_opens_nothing_and_is_not_asked_for_again(
    answers: AnsweringAzure, answer: dict[str, Any]
) -> None:
    answers.plan(answer)
    keys = SigningKeys(published_at(f"{answers.url}/oauth2/v3/certs"), FakeClock())
    for _ in range(3):
        with pytest.raises(RollcallError):
            keys.find("one")
    assert 1 <= len(answers.asked) <= 2  # a 503 is tried once more


@pytest.fixture
def host(answers: AnsweringAzure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Our function app on the host's web server, with Google's keys over https."""
    answers.plan({"status": 200, "body": KEYS, "headers": GOOGLE_SAYS})
    for name, value in {
        "ROLLCALL_POLICY": "policy.yaml",
        "ROLLCALL_QUEUE__queueServiceUri": answers.url,
        "ROLLCALL_LEDGER__TABLESERVICEURI": answers.url,
        "ROLLCALL_GCP__PUSH_AUDIENCE": AUDIENCE,
        "ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT": PUSHER,
        "ROLLCALL_GCP__CERTS_URL": f"{answers.url}/oauth2/v3/certs",
    }.items():
        monkeypatch.setenv(name, value)
    bootstrap.settings.cache_clear()
    bootstrap.push_verifier.cache_clear()
    monkeypatch.delitem(sys.modules, "function_app", raising=False)  # an app tells its functions once
    functions = index_app(ROOT, AppSettings({"ROLLCALL_SWEEP__SCHEDULE": "0 0 5 * * *"}))
    invoker = Invoker(threads=2, timeout_seconds=30, on_timeout=lambda: None)
    yield Client(HttpFront(functions, invoker, prefix="api", host_id="host", run=lambda function, text: None))
    bootstrap.settings.cache_clear()
    bootstrap.push_verifier.cache_clear()


def as_refused(answer: TestResponse) -> bool:
    return (answer.status_code, answer.data, answer.headers.get("WWW-Authenticate")) == (401, b"", "Bearer")


def test_over_http_our_subscription_is_let_in_and_nobody_else(host: Client, answers: AnsweringAzure) -> None:
    ours, theirs = {"Authorization": push_token()}, {"Authorization": push_token(OTHER)}
    ignored = pushed("set_iam_policy")
    answer = host.post(PATH, data=ignored, headers=ours)
    assert (answer.status_code, answer.data) == (204, b"")
    assert as_refused(host.post(PATH, data=ignored))
    assert as_refused(host.post(PATH, data=ignored, headers=theirs))
    assert as_refused(host.post(PATH, data=b"\x00" * 2_000_000, headers=theirs))
    assert as_refused(host.post(PATH, data=ignored, headers=ours, query_string={"token": "x"}))
    assert as_refused(host.post(PATH, data=ignored, query_string={"access_token": push_token().split()[1]}))
    assert host.get(PATH, headers=ours).status_code == 405
    assert answers.asked == ["GET /oauth2/v3/certs"]
