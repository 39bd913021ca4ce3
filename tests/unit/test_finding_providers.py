"""Each finding about an account names the account's cloud: whoever reads it has nothing to guess."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from shared.domain.accounts import Provider
from shared.domain.sweep.kinds import CONNECTOR_MISSING, SWEEP_MISSED
from shared.messages.sweep_documents import REPORT
from tests.fakes.roll import about, newest

ROOT = Path(__file__).parents[2]
IDENTITY = "2390b6d0ea06f86a"
"""What a finding of this account was called before it named its cloud."""


def makers() -> Iterator[tuple[str, ast.Call]]:
    """Every place of the product that makes a finding, with its call."""
    for path in sorted((ROOT / "shared").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "about":
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_who_names_an_account_names_its_cloud() -> None:
    named = {where: {each.arg for each in call.keywords} for where, call in makers()}
    assert len(named) > 30
    with_account = {where: words for where, words in named.items() if "account" in words}
    assert len(with_account) > 20
    assert [where for where, words in with_account.items() if "provider" not in words] == []


def test_what_is_no_accounts_has_no_cloud() -> None:
    assert SWEEP_MISSED.about("sweep", "r", account="", provider=Provider.GCP).provider is None


def test_the_cloud_is_no_part_of_who_a_finding_is() -> None:
    found = {
        CONNECTOR_MISSING.about("012345678901", "r", account="012345678901", provider=each).identity
        for each in (None, *Provider)
    }
    assert found == {IDENTITY}


def test_a_report_of_before_is_read_and_the_next_one_too() -> None:
    finding = CONNECTOR_MISSING.about("012345678901", "r", account="012345678901", provider=Provider.GCP)
    report = newest([about(finding)], 1)
    document = json.loads(REPORT.dump_json(report))
    assert document["findings"][0]["finding"]["provider"] == "gcp"
    assert REPORT.validate_python(document) == report
    del document["findings"][0]["finding"]["provider"]
    [tracked] = REPORT.validate_python(document).findings
    assert tracked.finding == replace(finding, provider=None)
