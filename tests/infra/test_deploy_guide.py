"""docs/deploy.md against the code: blocks, commands, files, and which output feeds which input."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from deploy.feeds import FEEDS, Place
from deploy.outputs import Step
from deploy.settings import read_settings
from shared.adapters.aws.account_events import read_account_event
from shared.adapters.aws.events import Ignored
from shared.adapters.policy.problems import check_policy, parse_policy
from shared.domain.accounts import Account, AccountState
from shared.domain.policy import Verdict, decide
from tests.infra.aws_templates import load
from tests.infra.azure_module import parsed
from tests.infra.deploy_guide import GUIDE, PROSE, ROOT, Block, cloud_only, executed, fenced, quoted, rows
from tests.infra.documented_commands import calls
from tests.infra.test_deploy_steps import declared

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
NAMES_LATER = {"infra/gcp/backend.tf"}
"""Files that the guide tells people to make."""


def test_blocks_are_shell_that_is_run_shell_that_needs_a_cloud_or_json() -> None:
    assert {(each.language, each.tag) for each in fenced()} == {("sh", ""), ("sh", "cloud-only"), ("json", "")}
    assert GUIDE.count("```") == 2 * len(fenced())
    assert len(executed()) + len(cloud_only()) == len(fenced()) - 1


@pytest.mark.parametrize("block", cloud_only(), ids=lambda block: f"line-{block.line}")
def test_a_block_that_needs_a_cloud_is_shell(block: Block) -> None:
    done = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_make_target_exists() -> None:
    named = {words[1] for block in fenced() for words in calls(block.text, "make")}
    named |= {words.split()[1] for words in quoted(PROSE) if words.startswith("make ")}
    assert {f"deploy-{step}" for step in Step} | {"setup", "build"} <= named
    targets = {name for line in re.findall(r"^([\w -]+):(?!=)", MAKEFILE, re.MULTILINE) for name in line.split()}
    assert named <= targets


def made(*words: str) -> str:
    """What make would run for these words."""
    kept = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    done = subprocess.run(
        ["make", "-n", f"VENV={sys.prefix}", *words], cwd=ROOT, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_hands_on_what_is_allowed_and_builds_what_goes_out_unless_it_is_built() -> None:
    for step in Step:
        assert re.search(rf"-m deploy {step} *$", made(f"deploy-{step}", "BUILT=1"), re.MULTILINE)
        assert f"-m deploy {step} --apply --replace" in made(f"deploy-{step}", "APPLY=1", "REPLACE=1", "BUILT=1")
        assert f"-m deploy {step} --apply" not in made(f"deploy-{step}", "APPLY=0", "BUILT=1")
    every = (("deploy-aws",), ("deploy-azure", "APPLY=1"), ("deploy-azure",), ("deploy-gcp",))
    building = {words for words in every if "-m artefacts.function_app" in made(*words)}
    assert building == {("deploy-aws",), ("deploy-azure", "APPLY=1")}
    assert "-m artefacts.function_app" not in made("deploy-aws", "APPLY=1", "BUILT=1")


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"(?<![./\w])(?:infra|docs|deploy)/[\w./-]+\w", "\n".join(each.text for each in fenced())))
    named |= {each for each in quoted(PROSE) if re.fullmatch(r"(infra|deploy|docs)/[\w./-]+", each)}
    assert {each for each in named - NAMES_LATER if not (ROOT / each).exists()} == set()


def test_the_table_of_feeds_is_the_one_that_the_steps_use() -> None:
    said = [(quoted(output)[0], *quoted(place), *quoted(name)) for _, output, place, name in rows("from")]
    assert said == [(each.output, str(each.place), each.input) for each in FEEDS]
    sources = {quoted(output)[0]: source for source, output, *_ in rows("from")}
    assert sources.pop("IssuerIdentifier") == "step 3"
    assert set(sources) == set(parsed("main.bicep")["outputs"])
    assert {quoted(source)[0] for source in sources.values()} == {str(Place.MAIN)}


def test_the_guide_s_settings_are_parameters_of_the_templates() -> None:
    taken = set().union(*declared().values())
    spoken = re.findall(r"`(\w+) = (?:\"[^\"`]+\"|true|false)", GUIDE)
    known = {"applications", "tenant_reader"}
    assert {name for name in spoken if name not in taken | known} == set()
    assert {"DailyComparison", "send_events", "awsAudience"} <= set(spoken)


def test_the_sample_of_settings_is_read_and_its_parameters_exist() -> None:
    sample = ROOT / "docs" / "samples" / "deploy.toml"
    folder = sample.parent
    settings = read_settings(folder)
    taken = declared()
    assert set(settings.need_azure().parameters) <= taken[Place.MAIN]
    assert set(settings.need_aws().parameters) <= taken[Place.TEMPLATE]
    assert set(settings.need_gcp().variables) <= taken[Place.GOOGLE]
    commented = re.findall(r"^# (\w+) = ", sample.read_text(encoding="utf-8"), re.MULTILINE)
    own = {"applications", "tenant_reader", "bucket", "member_template"}
    assert set(commented) <= own | set().union(*taken.values())
    assert {"AlarmEmail", "alertEmail", "MakeProvider"} <= set(commented)


def test_the_policy_that_ends_it_is_one_and_excludes_everybody() -> None:
    lines = [each for each in quoted(PROSE) if re.match(r"(exclusions|repairs): \{", each)]
    assert len(lines) == 2
    sample = (ROOT / "docs" / "samples" / "policy.shop.yaml").read_text(encoding="utf-8")
    text = "\n".join((sample.partition("exclusions:")[0], *lines)).encode()
    assert check_policy(text).problems == ()
    policy = parse_policy(text, "deploy.md")
    assert not policy.repairs.missing_connectors
    assert not policy.repairs.drifted_connectors
    account = Account(account_id="012345678901", name="any", state=AccountState.ACTIVE, ou_path="/Production/Shop")
    assert decide(policy, account).verdict is Verdict.EXCLUDE
    assert decide(policy, replace(account, ou_path="/")).verdict is Verdict.EXCLUDE


def test_the_event_that_is_sent_to_see_one_arrive_is_taken_by_the_rule_and_asks_nothing() -> None:
    [entries] = re.findall(r"put-events .*--entries '(.*)'", GUIDE)
    [entry] = json.loads(entries)
    resources = load(ROOT / "infra" / "aws" / "template.yaml")["Resources"]
    rules = [body["Properties"]["EventPattern"] for body in resources.values() if body["Type"] == "AWS::Events::Rule"]
    taken = [each for pattern in rules for each in pattern.get("$or", [pattern]) if entry["Source"] in each["source"]]
    assert len(taken) == 1
    assert set(taken[0]) == {"source", "account"}
    sent = {
        "id": "00000000-0000-4000-8000-00000000e1e1",
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
        "time": "2026-01-01T00:00:00Z",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": [],
        "version": "0",
    }
    assert isinstance(read_account_event(json.dumps(sent)), Ignored)


def test_whoever_previews_writes_where_nothing_is_deployed_from() -> None:
    assert re.findall(r"`s3:PutObject` on `([^`]+)`", GUIDE) == ["preview/*"]
    assert "A second role for `preview`" in GUIDE
    assert "two applications, not one with two credentials" in GUIDE
    assert re.search(r"^\| `production` \| `main` only \| yes \|", GUIDE, re.MULTILINE)


def test_what_stays_on_purpose_is_what_the_templates_retain() -> None:
    kept = {
        name
        for file in ("bucket.yaml", "template.yaml", "reader-hub.yaml")
        for name, body in load(ROOT / "infra" / "aws" / file)["Resources"].items()
        if str(body.get("DeletionPolicy")).startswith("Retain")
    }
    assert kept == {"Bucket", "QueueKey"}
    assert "Two things stay on purpose (`DeletionPolicy: Retain`): the bucket" in GUIDE
    resources = load(ROOT / "infra" / "aws" / "template.yaml")["Resources"]
    rules = [body["Properties"]["Name"] for body in resources.values() if body["Type"] == "AWS::Events::Rule"]
    names = {each["Fn::Sub"].replace("${AWS::StackName}", "rollcall") for each in rules}
    assert set(re.findall(r"disable-rule .*--name (\S+)", GUIDE)) == names
    assert "--retain-resources MemberRoles" in GUIDE
    assert resources["MemberRoles"]["Type"] == "AWS::CloudFormation::StackSet"
