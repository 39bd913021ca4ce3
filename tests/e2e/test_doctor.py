"""`rollcall doctor` in a sandbox: each prerequisite is broken once, named, mended, and named no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from dotenv import dotenv_values
from typer.testing import CliRunner

from cli import bootstrap, doctor_aws_bootstrap, doctor_bootstrap
from cli.main import app
from sandbox.azure.entra import OPERATORS_AUDIENCE
from sandbox.variables import OPERATOR_ENVIRONMENT
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.identity_provider import audiences_of
from shared.domain.profiles import FOUNDATIONAL
from tests.e2e.doctor_breaks import ADVISED, BREAKS, OWNER, Break, World, broken
from tests.e2e.roll import running

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:Exception.AwsError. with code AccessDenied"),  # moto's model of STS lacks it
]
RUNNER = CliRunner()
CACHED = [
    each
    for module in (bootstrap, doctor_aws_bootstrap, doctor_bootstrap)
    for each in vars(module).values()
    if hasattr(each, "cache_clear")
]
TOLD: dict[str, tuple[str, str, str]] = {}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One for all rows: two accounts are connected, and one whose identity provider somebody else had made."""
    folder = tmp_path_factory.mktemp("doctor")
    with pytest.MonkeyPatch.context() as shell, running(folder, resource_graph_lag_seconds=0.1) as roll:
        for name, value in dotenv_values(folder / OPERATOR_ENVIRONMENT).items():
            shell.setenv(name, value or "")
        shell.setenv("ROLLCALL_REPORT__URL", roll.sandbox.function_hosts[0].url)
        shell.setenv("ROLLCALL_REPORT__AUDIENCE", OPERATORS_AUDIENCE)
        directory = roll.sandbox.azure.directory
        directory.add(OWNER, "application")
        for role in ("Queue Data Contributor", "Table Data Contributor", "Blob Data Owner"):
            directory.assign(OWNER, f"Storage {role}", directory.storage_scope)
        found = World(roll, shell, [roll.plant_account(name) for name in ("one", "two")], roll.plant_account("other"))
        roll.plant_provider(found.stranger, *audiences_of(FOUNDATIONAL))
        everybody = [*found.accounts, found.stranger]
        for account_id in everybody:
            roll.ask_onboarding(account_id)
        for account_id in everybody:
            roll.wait_for_state(account_id, "connected")
        yield found


def doctor(*options: str) -> tuple[int, Any]:
    """Exit code and JSON document of one run, which remembers nothing of the one before."""
    boto3.DEFAULT_SESSION = None  # it remembers whose keys it has seen
    for each in CACHED:
        each.cache_clear()
    ran = RUNNER.invoke(app, ["--quiet", "doctor", "--json", *options], catch_exceptions=False)
    return ran.exit_code, json.loads(ran.stdout)


def named(document: Any) -> set[str]:
    """The keys of all that is wrong or could not be told."""
    return {each["key"] for each in document["checks"] if each["state"] in {"wrong", "could not tell"}}


def test_a_sandbox_is_as_it_has_to_be_and_every_check_says_so(world: World) -> None:
    code, document = doctor()
    assert (code, named(document)) == (0, set())
    assert {each["key"] for each in document["checks"]} == set(CHECKS)
    assert all(each["checked_as"] for each in document["checks"])
    seen = {each["key"]: each["checked_as"] for each in document["checks"]}
    assert seen["hub-role"] == seen["storage-tables"] == "the Function App's managed identity"
    assert seen["entra-federated-credential"].startswith(f"arn:aws:iam::{world.management}:role/rollcall-")


@pytest.mark.parametrize("row", BREAKS, ids=str)
def test_what_is_broken_is_named_alone_mended_and_then_clean(world: World, row: Break) -> None:
    check = CHECKS[row.key]
    asked = ("--only", row.key if row.alone else str(check.side))
    with broken(row, world) as undo:
        code, document = doctor(*asked)
        found = [each for each in document["checks"] if each["key"] == row.key and each["state"] == row.state]
        told = [f"{each['key']}: {each['state']}: {each['reason']}" for each in document["checks"]]
        assert found, "\n".join(each for each in told if ": ok: " not in each)
        assert any(row.says in each["reason"] for each in found), found
        advised = row.state == "advice"
        assert named(document) == (set() if advised else {row.key, *row.also})
        assert code == (0 if advised else 1)
        assert all(each["remedy"] or each["command"] for each in found)
        _, after = doctor("--only", row.key, "--fix")
        assert [each["key"] for each in after["mended"] if each["done"]] == ([row.key] if row.fixed else [])
        if row.fixed:
            undo.pop_all()
        undo.close()
        code, document = doctor("--only", row.key)
        clean = [each for each in document["checks"] if each["state"] == row.state]
        TOLD[str(row)] = found[0]["reason"][:80], "--fix" if row.fixed else "by hand", "" if not clean else "NOT CLEAN"
        assert (code, clean) == (0, [])


def test_advice_has_the_values_of_this_deployment(world: World) -> None:
    code, document = doctor("--only", "policy")
    assert code == 0
    reasons = {each["key"]: each["reason"] for each in document["checks"] if each["state"] == "advice"}
    assert set(reasons) == set(ADVISED)
    for key, value in ADVISED.items():
        assert value in reasons[key]
    assert all(account_id in reasons["agent-setting"] for account_id in world.accounts)


def test_every_check_was_broken_or_is_advice(record_property: Any) -> None:
    assert {row.key for row in BREAKS} | set(ADVISED) == set(CHECKS)
    assert all(CHECKS[row.key].fixable for row in BREAKS if row.fixed)
    assert {row.key for row in BREAKS if row.fixed} == {key for key, check in CHECKS.items() if check.fixable}
    width = max(map(len, TOLD), default=0)
    for name, (reason, mended, clean) in TOLD.items():
        record_property("told", f"{name:<{width}}  {mended:<8} {clean or 'clean':<6} {reason}")
