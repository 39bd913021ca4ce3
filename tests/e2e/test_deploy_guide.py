"""Every block of docs/deploy.md that needs no cloud runs, in order, in one shell, in a fresh copy of the repository."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import environment, processes_of, wait_until_gone
from tests.infra.deploy_guide import ROOT, Block, cloud_only, executed

LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", ".sandbox", ".deploy", "build", "node_modules", "__pycache__", ".*_cache", ".hypothesis"),
    "*.egg-info",
)
BEFORE = 'set -aeuo pipefail\nif [ -e "$STATE" ]; then . "$STATE"; fi\n'
# -a: what one block sets is still there in the next, as in a terminal.
AFTER = '\ndeclare -px > "$STATE"\n'


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A working copy as after a clone and `make setup`; what still runs in it at the end is ended."""
    made = tmp_path / "rollcall"
    shutil.copytree(ROOT, made, ignore=LEFT_OUT, symlinks=True)
    (made / "deploy.toml").unlink(missing_ok=True)
    (made / ".venv").symlink_to(sys.prefix)
    modules = Path("sandbox", "azurite", "node_modules")
    (made / modules).symlink_to(ROOT / modules)
    yield made
    for pid in processes_of(made):
        os.kill(pid, signal.SIGKILL)


def run(block: Block, copy: Path) -> None:
    """One block, with what the blocks before it have put into their shell."""
    state = copy.parent / "state"
    with (copy.parent / "printed").open("w+", encoding="utf-8") as printed:
        done = subprocess.run(
            ["bash", "-c", f"{BEFORE}{block.text}{AFTER}"],
            cwd=copy,
            env=environment(STATE=str(state)),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=150,
        )
        printed.seek(0)
        assert done.returncode == 0, f"docs/deploy.md:{block.line}\n{block.text}\n{printed.read()[-4000:]}"


@pytest.mark.timeout(480)
def test_every_block_that_needs_no_cloud_runs_in_order(
    copy: Path, record_property: Callable[[str, object], None]
) -> None:
    for block in executed():
        run(block, copy)
    wait_until_gone(copy)
    record_property("told", f"docs/deploy.md: {len(executed())} blocks executed, {len(cloud_only())} cloud-only")
    assert len(executed()) >= 9
    assert (copy / ".github" / "workflows" / "deploy.yml").exists()
