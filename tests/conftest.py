"""What every test shares: which sockets it may open, and the evidence that was recorded from the real clouds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.documented import OURS, Undocumented

settings.register_profile("rollcall", deadline=None)  # how long a computer takes says nothing about the code
settings.register_profile("few", deadline=None, max_examples=20)  # `--hypothesis-profile few`: .ci/run's second Python
settings.load_profile("rollcall")

KINDS = ("unit", "contract", "integration", "e2e", "infra", "browser")
LOOPBACK = ["127.0.0.1", "::1"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test with its kind: unit tests open no socket at all, the others reach loopback only.

    The longest come first, so that no worker is left alone with one of them at the end.
    """
    for item in items:
        kind = item.path.relative_to(Path(__file__).parent).parts[0]
        if kind in KINDS:
            item.add_marker(kind)
        item.add_marker(pytest.mark.disable_socket if kind == "unit" else pytest.mark.allow_hosts(LOOPBACK))
    items.sort(key=_by_length)


def _by_length(item: pytest.Item) -> float:
    """Longest first: those with a time-out of their own, then whatever runs the whole sandbox."""
    timeout = item.get_closest_marker("timeout")
    if timeout is not None:
        return -float(timeout.args[0])
    return 0 if item.get_closest_marker("e2e") else 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test has to tell beside that it passed, as a figure that is promised to be printed."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "told":
                terminalreporter.write_line(str(text))


@pytest.fixture(scope="session")
def evidence() -> Path:
    """The folder of recorded evidence, named by ROLLCALL_EVIDENCE_DIR; without it the test is skipped."""
    folder = os.environ.get("ROLLCALL_EVIDENCE_DIR")
    if not folder:
        pytest.skip("ROLLCALL_EVIDENCE_DIR is not set: the recorded evidence is not on this computer")
    if not Path(folder).is_dir():
        pytest.fail(f"ROLLCALL_EVIDENCE_DIR names no folder: {folder}")
    return Path(folder)


@pytest.fixture(autouse=True, scope="session")
def lines_of_the_session() -> Iterator[Undocumented]:
    """Every line of ours in this process, from INFO on."""
    handler = Undocumented()
    for name in OURS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)
    yield handler


@pytest.fixture(autouse=True)
def every_line_is_documented(lines_of_the_session: Undocumented) -> Iterator[None]:
    """Fails a test that has the code write a phrase or a field that docs/metrics.md does not know."""
    lines_of_the_session.found.clear()
    yield
    assert not lines_of_the_session.found, "not in docs/metrics.md"
