"""The import rules hold, cover every package, and fail on a planted violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = CONFIGURATION["tool"]["importlinter"]["root_packages"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the sources, to plant things in."""
    skip = shutil.ignore_patterns("node_modules", "__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_sources_keep_the_import_rules(house: Path) -> None:
    result = lint_imports(house)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("shared/domain/planted.py", "import shared.adapters", "Everything in shared has a layer"),
        ("shared/messages/planted.py", "import shared.application", "Arrows point inwards"),
        ("shared/application/planted.py", "from azure.identity import AzureCliCredential", "know no SDK"),
        ("shared/domain/planted.py", "import boto3", "know no SDK"),
        ("shared/helpers.py", "", "Everything in shared has a layer"),
        ("shared/adapters/planted.py", "import functions", "Arrows point inwards"),
        ("lambdas/planted.py", "import functions", "Arrows point inwards"),
        ("functions/planted.py", "import sandbox.config", "Only the command line and the benchmarks use the sandbox"),
        (
            "lambdas/account_events/planted.py",
            "import sandbox",
            "Only the command line and the benchmarks use the sandbox",
        ),
        ("artefacts/planted.py", "import shared", "Build and deployment know nothing"),
        ("deploy/planted.py", "import shared", "Build and deployment know nothing"),
        ("shared/adapters/planted.py", "import artefacts", "What is built knows nothing"),
        ("bench/bounds/planted.py", "import shared", "A bound is computed from journal and settings alone"),
    ],
)
def test_a_planted_violation_breaks_its_contract(house: Path, module: str, line: str, contract: str) -> None:
    (house / module).write_text(f"{line}\n")
    result = lint_imports(house)
    assert result.returncode == 1, result.stdout + result.stderr
    broken = [each for each in result.stdout.splitlines() if each.endswith("BROKEN")]
    assert any(contract in each for each in broken), result.stdout


def test_every_package_at_the_root_is_covered_by_the_rules() -> None:
    found = {each.parent.name for each in ROOT.glob("*/__init__.py")}
    assert found == set(PACKAGES)


def test_every_layer_of_the_rules_exists() -> None:
    contracts = CONFIGURATION["tool"]["importlinter"]["contracts"]
    (exhaustive,) = [each for each in contracts if each.get("exhaustive")]
    present = {each.stem for each in (ROOT / "shared").iterdir() if each.stem in exhaustive["layers"]}
    assert present == set(exhaustive["layers"])
