"""What a command loads before it knows what it is asked for: no SDK of any cloud, and no other command's modules."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cli.commands import COMMANDS

SDKS = (
    "azure.data",
    "azure.identity",
    "azure.mgmt.security",
    "azure.storage",
    "boto3",
    "botocore",
    "google.auth",
    "msal",
)
SHARED = {
    "backfill": "cli.plan",
    "demo": "cli.sandbox",
    "doctor": "cli.policy",
    "report": "cli.sweep",
    "template": "cli.policy",
}
"""Whose functions a command uses besides its own."""
LOADED = "import sys; from cli.main import app; app({words!r}, standalone_mode=False); print(*sys.modules)"


def loaded_by(*words: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED.format(words=list(words))], capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()[-1].split()


def test_to_list_the_commands_loads_none_of_them() -> None:
    loaded = loaded_by("--help")
    assert "cli.main" in loaded
    assert [name for name in loaded if name in {*SDKS, *(each.module for each in COMMANDS.values()), "pydantic"}] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_loads_no_sdk_before_it_needs_it_and_no_other_command(name: str) -> None:
    loaded = loaded_by(name, "--help")
    own = COMMANDS[name].module
    assert own in loaded
    others = {each.module for each in COMMANDS.values()} - {own, SHARED.get(name)}
    assert [each for each in loaded if each in {*SDKS, *others}] == []
