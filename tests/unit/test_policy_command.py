"""`rollcall policy check`, `schema` and the refusals of the others, as a script sees them."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli import bootstrap
from cli.main import main
from shared.adapters.policy.limits import MOST_BYTES
from shared.adapters.policy.schema import rendered_schema
from tests.fixtures.read import FOLDER, fixture
from tests.unit.test_policy_yaml import TEN

POLICIES = FOLDER / "policies"
SMALLEST = fixture("policies/smallest.yaml")


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs the command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *arguments: str, stdin: bytes | io.RawIOBase = b"") -> Said:
        self._monkeypatch.setattr("sys.argv", ["rollcall", *arguments])
        source = io.BufferedReader(stdin) if isinstance(stdin, io.RawIOBase) else io.BytesIO(stdin)
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(source))
        with pytest.raises(SystemExit) as end:
            main()
        printed = self._capsys.readouterr()
        return Said(int(end.value.code or 0), printed.out, printed.err)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name in ("ROLLCALL_POLICY", "ROLLCALL_PUBLISH__S3", "ROLLCALL_PUBLISH__BLOB"):
        monkeypatch.delenv(name, raising=False)
    for kept in vars(bootstrap).values():
        if hasattr(kept, "cache_clear"):
            kept.cache_clear()
    return Shell(monkeypatch, capsys)


def test_ten_mistakes_are_ten_lines_and_exit_code_2(shell: Shell) -> None:
    path = str(POLICIES / "ten-mistakes.yaml")
    said = shell.run("policy", "check", path)
    assert said.code == 2
    *lines, summary = said.out.splitlines()
    assert [line.removeprefix(f"{path}:").split(":", 2)[::2] for line in lines] == [
        [line, f" error: {message}"] for line, _, message in (told.partition(": ") for told in TEN)
    ]
    assert summary == f"{path}: 10 errors, no warnings"
    assert said.err == ""


def test_check_as_json_is_one_document_with_every_problem(shell: Shell) -> None:
    path = POLICIES / "ten-mistakes.yaml"
    said = shell.run("policy", "check", str(path), "--json")
    assert said.code == 2
    problems = said.document.pop("problems")
    assert said.document | {"problems": None} == {
        "file": str(path),
        "ok": False,
        "errors": 10,
        "warnings": 0,
        "problems": None,
        "hash": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert [f"{each['line']}: {each['message']}" for each in problems] == TEN
    assert {(each["severity"], each["column"] >= 1) for each in problems} == {("error", True)}


def test_warnings_alone_are_no_reason_to_fail(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(f"{SMALLEST}\ndeletions: {{orphaned_machines: true}}\n")
    said = shell.run("policy", "check", "policy.yaml")
    assert said.code == 0
    digest = hashlib.sha256((tmp_path / "policy.yaml").read_bytes()).hexdigest()
    assert said.out.splitlines() == [
        "policy.yaml:8:32: warning: orphaned machines: deletes without asking",
        f"policy.yaml: no errors, 1 warning, sha256 {digest}",
    ]
    assert shell.run("policy", "check", "policy.yaml", "--json").document["ok"] is True


def test_check_reads_standard_input(shell: Shell) -> None:
    said = shell.run("policy", "check", "-", stdin=SMALLEST.encode())
    assert (said.code, said.out.startswith("-: no errors, no warnings, sha256 ")) == (0, True)


def test_text_of_the_file_reaches_no_terminal_as_it_is(shell: Shell) -> None:
    said = shell.run("policy", "check", "-", stdin=f'{SMALLEST}\n"[red]\\e[2J": 1\n'.encode())
    assert said.code == 2
    assert "[red]\\x1b[2J: an unknown word" in said.out
    assert "\x1b" not in said.out


class _Endless(io.RawIOBase):
    """Standard input that never ends; it counts what was taken."""

    taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.taken += len(buffer)
        return len(buffer)


def test_more_than_a_policy_may_have_is_refused_without_being_read(shell: Shell, tmp_path: Path) -> None:
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(50_000_000)
    for command in ("check", "publish"):
        said = shell.run("policy", command, "large.yaml", "--json")
        assert (said.code, said.document.keys()) == (2, {"error"})
        assert "larger than 512 KiB" in said.document["error"]["reason"]
        assert said.document["error"]["remedy"]
    endless = _Endless()
    assert shell.run("policy", "check", "-", stdin=endless).code == 2
    assert MOST_BYTES < endless.taken < 2 * MOST_BYTES


@pytest.mark.parametrize("name", ["nowhere.yaml", ".", "closed.yaml/x"])
def test_a_file_that_cannot_be_read_is_refused_with_a_remedy(shell: Shell, tmp_path: Path, name: str) -> None:
    (tmp_path / "closed.yaml").write_text("")
    for command in ("check", "publish"):
        said = shell.run("policy", command, name)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith(f"rollcall: cannot read {name}: ")
        assert "; name a policy file, or -" in said.err
        assert shell.run("policy", command, name, "--json").document["error"]["remedy"] == "name a policy file, or -"


def test_the_schema_is_printed_as_it_is_committed(shell: Shell) -> None:
    assert shell.run("policy", "schema").out == rendered_schema()
    assert shell.run("policy", "schema", "--json").document["title"] == "Rollcall policy"


def test_a_policy_with_errors_is_not_published(shell: Shell) -> None:
    path = str(POLICIES / "ten-mistakes.yaml")
    said = shell.run("policy", "publish", path, "--to", "s3://bucket/policy.yaml")
    assert said.code == 2
    assert said.out.splitlines()[-1] == f"{path}: not published"
    assert len(said.out.splitlines()) == 11
    assert shell.run("policy", "publish", path, "--json").document["errors"] == 10


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://bucket", "s3:///key", "https://account/container", "http://a/b/c"])
def test_a_destination_that_is_none_is_wrong_usage(shell: Shell, url: str) -> None:
    said = shell.run("policy", "publish", str(POLICIES / "smallest.yaml"), "--to", url)
    assert (said.code, said.out) == (2, "")
    assert f"{url} is no destination; give s3://BUCKET/KEY or https://" in said.err


def test_without_settings_the_missing_one_is_named(shell: Shell) -> None:
    published = shell.run("policy", "publish", str(POLICIES / "smallest.yaml"), "--json")
    assert published.code == 2
    assert "--to URL" in published.document["error"]["remedy"]
    explained = shell.run("policy", "explain", "012345678901")
    assert (explained.code, explained.out) == (2, "")
    assert "Set ROLLCALL_POLICY, or give --policy FILE." in explained.err


def test_explain_refuses_a_policy_with_mistakes_by_their_lines(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    said = shell.run("policy", "explain", "012345678901", "--policy", str(POLICIES / "ten-mistakes.yaml"))
    assert said.code == 2
    assert "ten-mistakes.yaml: 3:15: organization:" in said.err
    assert "and 5 more" in said.err


@pytest.mark.parametrize("command", ["check", "schema", "explain", "publish"])
def test_every_help_has_an_example(shell: Shell, command: str) -> None:
    assert f"rollcall policy {command}" in shell.run("policy", command, "--help").out.split("Example")[1]
