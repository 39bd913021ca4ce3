"""infra/gcp, evaluated once for all tests of this folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command_lines import CommandLines
from tests.infra.gcp_module import ALL_PARTS, MODULE, World, evaluated


@pytest.fixture(scope="session")
def usual(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The module with its defaults."""
    return evaluated(tmp_path_factory.mktemp("usual"))


@pytest.fixture(scope="session")
def largest(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The module with all that can be switched on."""
    return evaluated(tmp_path_factory.mktemp("largest"), parts=ALL_PARTS, rollcall_arc=True)


@pytest.fixture(scope="session")
def data() -> dict[str, Any]:
    """What the module knows of Defender's identities."""
    loaded: dict[str, Any] = json.loads((MODULE / "defender.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def first_steps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make deploy-federation` and `make deploy-azure` leave in `.deploy`."""
    tools = CommandLines(tmp_path_factory.mktemp("first-steps"))
    tools.reaches("federation", "azure")
    return tools.folder / ".deploy"


@pytest.fixture
def tools(tmp_path: Path, first_steps: Path) -> CommandLines:
    """Command lines of clouds where everything is deployed, after the first two steps."""
    made = CommandLines(tmp_path)
    shutil.copytree(first_steps, tmp_path / ".deploy")
    return made
