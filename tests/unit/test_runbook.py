"""The tables of refusals, the cases that produce them and the runbook speak of the same kinds of failure."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from shared.adapters.diagnosis import Diagnosis, Kind
from shared.application.refusals import Refusal
from shared.domain.findings import KINDS, FindingKind
from shared.domain.instance_failures import FAILURES, InstanceFailure
from shared.domain.sweep.findings import SweepKind
from tests.fixtures.read import fixture
from tests.runbook import DIAGNOSES, KEYS, PAGE, REFUSALS, SWEPT
from tests.unit.test_accept_project_event import PRODUCED as OF_PROJECTS
from tests.unit.test_account_life import LEAVING
from tests.unit.test_offboard import REFUSED
from tests.unit.test_onboard_checks import FOUND
from tests.unit.test_onboard_projects import PRODUCED as OF_CONNECTED_PROJECTS
from tests.unit.test_template_rollout import CHECKED
from tests.unit.test_use_case_refusals import PRODUCED

RUNBOOK = PAGE.read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0].strip(): part for part in re.split(r"^### ", RUNBOOK, flags=re.MULTILINE)[1:]}
SWEEP_TESTS = (
    "notify",
    "machine_deletion",
    "machine_doubts",
    "project_advice",
    "sweep",
    "sweep_health",
    "sweep_planning",
    "sweep_prerequisites",
    "sweep_runs",
)
PLANTED = "".join(
    (Path(__file__).parents[1] / name).read_text(encoding="utf-8")
    for name in (
        "fixtures/sweep/planted.yaml",
        "fixtures/gcp/causes.yaml",
        *(f"unit/test_{each}.py" for each in SWEEP_TESTS),
    )
)


def produced_keys() -> set[str]:
    outside = {
        case["key"]
        for name in ("azure", "aws", "gcp", "instances")
        for case in json.loads(fixture(f"refusals/{name}.json"))
    }
    swept = {kind.key for kind in SWEPT if re.search(rf"[\[\s\"]{kind.key}[\],\"]", PLANTED)}
    cases = (PRODUCED, FOUND, LEAVING, REFUSED, CHECKED, OF_PROJECTS, OF_CONNECTED_PROJECTS)
    return outside | swept | {key for keys in cases for key in keys}


def test_every_key_has_a_heading_and_a_case_and_there_are_no_others() -> None:
    assert len(KEYS) == len(set(KEYS))
    assert set(KEYS) == set(SECTIONS)
    assert set(KEYS) == produced_keys()
    assert len(re.findall(r"^### ", RUNBOOK, flags=re.MULTILINE)) == len(SECTIONS)


@pytest.mark.parametrize("diagnosis", DIAGNOSES, ids=lambda diagnosis: diagnosis.key)
def test_a_section_says_what_the_table_says(diagnosis: Diagnosis) -> None:
    section = SECTIONS[diagnosis.key]
    assert diagnosis.remedy in section
    assert f"<{diagnosis.link}>" in section
    assert f"{diagnosis.kind}: " in section or diagnosis.patience_seconds
    assert re.fullmatch(r"https://(learn\.microsoft|docs\.aws\.amazon|cloud\.google)\.com/\S+", diagnosis.link)


@pytest.mark.parametrize("kind", SWEPT, ids=lambda kind: kind.key)
def test_a_section_about_a_finding_of_the_sweep_says_what_the_domain_says(kind: SweepKind) -> None:
    section = SECTIONS[kind.key]
    assert kind.remedy in section
    assert f"<{kind.link}>" in section
    assert f"**Severity**: {kind.severity}" in section


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.key)
def test_a_section_about_a_failed_instance_says_what_the_domain_says(failure: InstanceFailure) -> None:
    assert failure.remedy in SECTIONS[failure.key]
    assert f"<{failure.link}>" in SECTIONS[failure.key]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_a_section_about_a_finding_says_what_the_domain_says(kind: FindingKind) -> None:
    section = SECTIONS[kind.key]
    assert f"**Do**: {kind.remedy}" in section
    assert f"**More**: <{kind.link}>" in section


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.key)
def test_a_section_about_a_refusal_of_ours_says_what_the_use_case_says(refusal: Refusal) -> None:
    section = SECTIONS[refusal.key]
    assert f"**Do**: {refusal.remedy}" in section
    assert f"**Rollcall**: {'transient' if refusal.transient else 'permanent'}: " in section
    assert "**More**: [" in section


@pytest.mark.parametrize("diagnosis", DIAGNOSES, ids=lambda diagnosis: diagnosis.key)
def test_what_may_be_a_wrong_deployment_names_what_has_to_be_mended(diagnosis: Diagnosis) -> None:
    wrong = diagnosis.kind is Kind.CONFIGURATION or diagnosis.patience_seconds is not None
    assert bool(diagnosis.setting) == wrong
