"""The sample of a pipeline: no secret, least permissions, actions pinned by commit, the same commands for both."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy.outputs import Step
from tests.infra.deploy_guide import GUIDE, ROOT

TEXT = (ROOT / "docs" / "samples" / "deploy.github.yml").read_text(encoding="utf-8")
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = JOBS[job]["steps"]
    return found


def test_every_action_is_pinned_by_a_commit_and_says_its_version() -> None:
    lines = [line for line in TEXT.splitlines() if "uses:" in line]
    assert len(lines) == 10
    pinned = [re.fullmatch(r" +(?:- )?uses: [\w-]+/[\w-]+@([0-9a-f]{40}) # v\d+\.\d+\.\d+", line) for line in lines]
    assert all(pinned), lines
    by_action: dict[str, set[str]] = {}
    for line in lines:
        action, _, rest = line.partition("uses: ")[2].partition("@")
        by_action.setdefault(action, set()).add(rest)
    assert all(len(each) == 1 for each in by_action.values())


def test_permissions_are_the_least_and_a_token_is_only_for_the_job_that_deploys() -> None:
    assert WORKFLOW["permissions"] == {}
    assert JOBS["build"]["permissions"] == {"contents": "read"}
    assert JOBS["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert all(
        each["with"]["persist-credentials"] is False
        for job in JOBS
        for each in steps(job)
        if each.get("uses", "").startswith("actions/checkout@")
    )


def test_no_secret_is_used_and_no_text_of_a_pull_request_reaches_a_shell() -> None:
    assert "secrets" not in re.sub(r"#.*", "", TEXT)
    assert "pull_request_target" not in TEXT
    assert not any("${{" in each.get("run", "") for job in JOBS for each in steps(job))


def test_each_cloud_is_entered_by_a_token_of_the_job() -> None:
    given = {
        each["uses"].partition("@")[0]: each["with"] for each in steps("deploy") if "with" in each and "uses" in each
    }
    assert set(given["aws-actions/configure-aws-credentials"]) >= {"role-to-assume", "aws-region"}
    assert given["aws-actions/configure-aws-credentials"]["aws-region"] == "us-east-1"
    assert set(given["azure/login"]) == {"client-id", "tenant-id", "subscription-id"}
    assert set(given["google-github-actions/auth"]) == {"workload_identity_provider", "service_account"}
    assert given["hashicorp/setup-terraform"]["terraform_wrapper"] is False


def test_what_was_built_is_compared_before_every_step_is_shown_or_done_in_an_environment() -> None:
    job = JOBS["deploy"]
    assert job["needs"] == "build"
    assert job["environment"] == "${{ github.event_name == 'push' && 'production' || 'preview' }}"
    assert job["env"]["APPLY"] == "${{ github.event_name == 'push' && '1' || '' }}"
    assert job["env"]["BUILT"] == "1"
    assert WORKFLOW[True]["push"] == {"branches": ["main"]}  # YAML takes `on` for true
    compare, *runs = [each["run"] for each in steps("deploy") if "run" in each]
    assert "sha256sum --check --strict" in compare
    assert runs == [f"make deploy-{step}" for step in Step]
    assert [each["run"] for each in steps("build") if "run" in each][0] == "make build-twice"


def shell(run: str, folder: Path, **environment: str) -> int:
    """How a step's commands end, as a runner calls them."""
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", run],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )
    return done.returncode


def test_digests_go_beside_the_artefacts_and_not_among_them(tmp_path: Path) -> None:
    [digests] = [each for each in steps("build") if each.get("id") == "digests"]
    [compare] = [each for each in steps("deploy") if "sha256sum" in each.get("run", "")]
    assert compare["env"] == {"DIGESTS": "${{ needs.build.outputs.digests }}"}
    assert JOBS["build"]["outputs"] == {"digests": "${{ steps.digests.outputs.digests }}"}
    [uploaded] = [
        each["with"] for each in steps("build") if each.get("uses", "").startswith("actions/upload-artifact@")
    ]
    assert "sha256" not in uploaded["path"]
    (tmp_path / "A.zip").write_bytes(b"a")
    (tmp_path / "B.zip").write_bytes(b"b")
    assert shell(digests["run"], tmp_path, GITHUB_OUTPUT=str(tmp_path / "output")) == 0
    head, *lines, end = (tmp_path / "output").read_text(encoding="utf-8").splitlines()
    assert (head, end, len(lines)) == ("digests<<END", "END", 2)
    assert shell(compare["run"], tmp_path, DIGESTS="\n".join(lines)) == 0
    assert shell(compare["run"], tmp_path, DIGESTS="") != 0
    (tmp_path / "B.zip").write_bytes(b"exchanged")
    (tmp_path / "artefacts.sha256").unlink()
    assert shell(compare["run"], tmp_path, DIGESTS="\n".join(lines)) != 0


def test_a_pull_request_does_not_enter_google_whose_trust_admits_production_alone() -> None:
    google = [
        each for each in steps("deploy") if re.search(r"google|terraform|-gcp", f"{each.get('uses')}{each.get('run')}")
    ]
    assert len(google) == 3
    assert all(each["if"] == "github.event_name == 'push'" for each in google)
    assert not any("if" in each for each in steps("deploy") if each not in google)


def test_a_pull_request_that_waits_keeps_no_deployment_waiting() -> None:
    assert "concurrency" not in WORKFLOW
    assert JOBS["deploy"]["concurrency"] == {
        "group": "rollcall-${{ github.event_name == 'push' && 'production' || github.ref }}",
        "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
    }


def test_the_guide_pins_trust_to_one_repository_and_environment() -> None:
    assert GUIDE.count("repo:OWNER/REPOSITORY:environment:production") == 3
    assert GUIDE.count("repo:OWNER/REPOSITORY:environment:preview") == 2
    assert '"StringLike"' not in GUIDE
