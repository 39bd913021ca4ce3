"""`rollcall policy publish` where the settings name one of the two sides only."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.answering_azure import AnsweringAzure
from tests.unit.test_policy_command import POLICIES, Shell, shell

__all__ = ["shell"]  # a fixture
TOKEN = {"access_token": "t", "expires_on": str(int(time.time()) + 3600), "resource": "r", "token_type": "Bearer"}
NOTHING = {"status": 404, "body": {}, "headers": {"x-ms-error-code": "BlobNotFound"}}
NO_CONNECTORS = {"status": 200, "body": {"totalRecords": 0, "count": 0, "resultTruncated": "false", "data": []}}
WRITTEN = {"status": 201, "body": "", "headers": {"ETag": "1", "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}}


@pytest.fixture
def blob(shell: Shell, answers: AnsweringAzure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The address of a blob that is not there yet; the operator is a managed identity."""
    monkeypatch.setenv("ROLLCALL_CREDENTIAL", "managed-identity")
    token: dict[str, Any] = {"status": 200, "body": TOKEN}
    monkeypatch.setenv("ROLLCALL_ARM_ENDPOINT", answers.url)
    answers.plan(token, NO_CONNECTORS, token, NOTHING, WRITTEN)
    return f"{answers.url}/policy/policy.yaml"


def test_one_side_alone_is_written_and_said_and_no_success(
    shell: Shell, blob: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLLCALL_PUBLISH__BLOB", blob)
    said = shell.run("policy", "publish", str(POLICIES / "smallest.yaml"))
    assert said.code == 1
    assert said.out.startswith("written")
    assert "ROLLCALL_PUBLISH__S3 is not set: AWS's side keeps the policy that it has" in said.err


def test_one_side_that_was_named_is_what_was_asked_for(shell: Shell, blob: str) -> None:
    said = shell.run("policy", "publish", str(POLICIES / "smallest.yaml"), "--to", blob)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("written")
