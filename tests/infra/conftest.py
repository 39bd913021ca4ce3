"""infra/gcp, evaluated once for all tests of this folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
