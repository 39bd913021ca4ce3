"""`rollcall report`: the page's parts in a terminal that obeys nothing, files that others cannot read."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from cli import queue_bootstrap
from cli import report as command
from cli.output import RefusedError
from cli.report import keep, report
from cli.report_output import AT_ONCE, report_parts
from shared.domain.report.roll import RollReport, Seen, roll_report
from shared.errors import PermanentError
from shared.messages.roll_report import report_json
from tests.fakes.clock import NOON
from tests.fakes.roll import HOSTILE, roll

CONTROL = {"\x1b", "\x07", "\x00", "\u202e", "\u200f", "\u2028"}


def printed(made: RollReport, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    for part in report_parts(made, width):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 160, 10_000])
def test_the_terminal_has_every_part_and_obeys_no_name(width: int) -> None:
    text = printed(roll(60, 160, names=HOSTILE), width)
    for title in ("Coverage by unit", "From creation", "States over", "Connector health", "Orphaned machines"):
        assert title in text
    for title in ("Queues", "Last runs", "Trials and paid plans", "Findings"):
        assert title in text
    assert not CONTROL & set(text)
    assert max(len(line) for line in text.splitlines()) <= width


def test_the_terminal_says_what_the_page_says() -> None:
    made = roll(60, 160)
    text = " ".join(printed(made).split())
    totals = made.totals
    assert f"{totals.connected} of {totals.expected} that should be; {totals.left_out} left out" in text
    assert "could not be asked: account-events-dead: AWS does not answer" in text
    for each in made.worst:
        assert each.account in text
    for cause in made.causes:
        assert cause.cause in text
    for finding in made.open:
        assert finding.account in text
    assert "incomplete" in text
    assert "servers_p1 120 22 90" in text


def test_a_roll_without_anything_is_told_all_the_same() -> None:
    text = printed(roll_report(Seen(records=[]), NOON))
    assert "no sweep yet" in text
    assert "no account yet" in text


def test_thousands_of_findings_are_laid_out_in_parts() -> None:
    made = roll(50, AT_ONCE * 2)
    assert sum(1 for _ in report_parts(made, 160)) > sum(1 for _ in report_parts(roll(50, 10), 160))


# --- the command


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> RollReport:
    made = roll(20, 30, names=HOSTILE)
    monkeypatch.setattr(command, "make_report", lambda ports: made)
    monkeypatch.setattr(queue_bootstrap, "report_ports", lambda: None)
    monkeypatch.setattr(queue_bootstrap, "remote_report", lambda url: None)
    return made


def asked(**options: object) -> None:
    defaults: dict[str, object] = {"opened": False, "output": None, "url": "", "as_json": False}
    report(**(defaults | options))  # type: ignore[arg-type] # a command's options


def test_json_is_the_typed_data(local: RollReport, capsys: pytest.CaptureFixture[str]) -> None:
    asked(as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "roll-report/1"
    assert len(document["findings"]) == 30


def test_a_file_is_for_its_owner_only_and_replaces_what_is_there(local: RollReport, tmp_path: Path) -> None:
    path = tmp_path / "roll.html"
    path.write_text("before")
    path.chmod(0o644)
    asked(output=path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["roll.html"]


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be written"):
        keep(tmp_path / "absent" / "roll.html", b"x")


def test_open_makes_a_file_that_nobody_else_reads_and_opens_it(
    local: RollReport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    opened: list[str] = []

    def remember(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr(command, "webbrowser", SimpleNamespace(open=remember))
    asked(opened=True)
    [folder] = tmp_path.iterdir()
    [file] = folder.iterdir()
    assert opened == [file.as_uri()]
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_without_a_browser_the_file_is_named(
    local: RollReport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "webbrowser", SimpleNamespace(open=lambda uri: False))
    with pytest.raises(RefusedError, match="no browser") as refused:
        asked(opened=True, output=tmp_path / "roll.html")
    assert os.fspath(tmp_path / "roll.html") in refused.value.remedy


class Remote:
    """A Function App that answers."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def page(self) -> bytes:
        """As it came."""
        return b"<!doctype html>theirs"

    def data(self) -> bytes:
        """The same."""
        return self.content


def test_a_function_app_that_is_named_makes_the_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = roll(5, 5)
    monkeypatch.setattr(queue_bootstrap, "remote_report", lambda url: Remote(report_json(made).encode()))
    asked(output=tmp_path / "roll.html")
    assert (tmp_path / "roll.html").read_bytes() == b"<!doctype html>theirs"
    asked(as_json=True)
    assert len(json.loads(capsys.readouterr().out)["accounts"]) == 5
    monkeypatch.setattr(queue_bootstrap, "remote_report", lambda url: Remote(b"<html>"))
    with pytest.raises(PermanentError, match="cannot be read"):
        asked(as_json=True)
