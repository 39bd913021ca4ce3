"""`aws`, `az` and `terraform` as programs on PATH that write down how they are called and answer what a test says.

Whatever no answer is for ends with 97, so that a call nobody thought of is seen.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ANSWERS = ROOT / "tests" / "fixtures" / "deploy" / "answers.json"
TOOLS = ("aws", "az", "terraform")
FUNCTIONS = ("AccountEventsFunction", "StackEventsFunction", "ReconcileAccountsFunction")
_FOREIGN = ("AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "ROLLCALL_")
_PROGRAM = """#!{python} -IS
import json, pathlib, sys
folder, words = pathlib.Path({folder!r}), [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
answers = json.loads((folder / "answers").read_text())
for number, answer in enumerate(answers):
    meant = [each for each in words if not each.startswith("-chdir=")]
    if meant[:len(answer["words"])] == answer["words"] and set(answer["besides"]) <= set(meant):
        if answer["once"]:
            (folder / "answers").write_text(json.dumps(answers[:number] + answers[number + 1:]))
        sys.stdout.write(answer["out"])
        sys.stderr.write(answer["err"])
        sys.exit(answer["code"])
sys.stderr.write("nobody said what to answer: " + " ".join(words))
sys.exit(97)
"""
_CHANGE_SET = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/deploy-1/00000000-0000-4000-8000-00000000c5e7"
_MADE = f"\nWaiting for changeset to be created..\nChangeset created successfully. Run …:\naws … {_CHANGE_SET}\n"


@dataclass(frozen=True)
class Done:
    """One finished run of a step."""

    code: int
    out: str
    err: str


class CommandLines:
    """A working copy in `folder` with the tools beside it, as they answer where everything is deployed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = folder / "bin"
        self._bin.mkdir()
        for tool in TOOLS:
            (self._bin / tool).write_text(_PROGRAM.format(python=sys.executable, folder=str(folder)), encoding="utf-8")
            (self._bin / tool).chmod(0o755)
        (folder / "infra").symlink_to(ROOT / "infra")
        shutil.copy(ROOT / "docs" / "samples" / "deploy.toml", folder / "deploy.toml")
        (folder / "build").mkdir()
        for name in (*FUNCTIONS, "FunctionApp"):
            (folder / "build" / f"{name}.zip").write_bytes(name.encode())
        self._answers: list[dict[str, Any]] = []
        for words, document in json.loads(ANSWERS.read_text(encoding="utf-8")).items():
            self.answers(words, document)
        for name in FUNCTIONS:
            self.has(f"artefacts/{hashlib.sha256(name.encode()).hexdigest()}.zip", name.encode())
        reader = (ROOT / "infra" / "aws" / "reader-role.yaml").read_bytes()
        self.has(f"artefacts/reader-role-{hashlib.sha256(reader).hexdigest()}.yaml", reader)
        self.answers("aws cloudformation deploy", _MADE)
        self.answers("aws configure get region", "us-east-1\n")
        for said in ("execute-change-set", "delete-change-set"):
            self.answers(f"aws cloudformation {said}")
        for said in (
            "aws s3api put-object",
            "az deployment sub what-if",
            "az deployment sub create",
            "az deployment mg",
            "terraform init",
        ):
            self.answers(said)
        self.answers("az ad app list", ["00000000-0000-4000-8000-0000000000a1"])
        self.answers("az ad sp list", ["00000000-0000-4000-8000-0000000000a2"])
        self.answers("az functionapp deployment source config-zip")
        self.answers("terraform plan", code=2)
        self.answers("terraform apply")

    def answers(  # noqa: PLR0913 - what a program can do
        self, words: str, document: Any = "", *, besides: str = "", err: str = "", code: int = 0, once: bool = False
    ) -> None:
        """What is answered from now on to calls that begin with `words` and have `besides` among theirs."""
        out = document if isinstance(document, str) else json.dumps(document)
        answer = {
            "words": words.split(),
            "besides": besides.split(),
            "out": out,
            "err": err,
            "code": code,
            "once": once,
        }
        self._answers.insert(0, answer)
        (self.folder / "answers").write_text(json.dumps(self._answers), encoding="utf-8")

    def has(self, key: str, content: bytes) -> None:
        """What lies in the bucket, as S3 tells it."""
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self.answers("aws s3api head-object", {"ChecksumSHA256": checksum}, besides=key)

    def says(self, before: str, after: str) -> None:
        """Changes a line of deploy.toml."""
        file = self.folder / "deploy.toml"
        content = file.read_text(encoding="utf-8")
        assert before in content
        file.write_text(content.replace(before, after), encoding="utf-8")

    def without(self, tool: str) -> None:
        """Takes a tool away."""
        (self._bin / tool).unlink()

    def run(self, step: str, *options: str, **environment: str) -> Done:
        """One step, with these tools and no others, and no other settings than these."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN) and name != "CI"}
        here = {"PATH": str(self._bin), "PYTHONPATH": str(ROOT), "GOOGLE_OAUTH_ACCESS_TOKEN": "of-a-test"}
        done = subprocess.run(
            [sys.executable, "-m", "deploy", step, *options],
            cwd=self.folder,
            env=kept | here | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "nobody said what to answer" not in done.stderr, done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def reaches(self, *steps: str) -> None:
        """Runs steps that have to succeed, without changing anything."""
        for step in steps:
            done = self.run(step)
            assert done.code == 0, done.err

    @property
    def calls(self) -> list[str]:
        """Every call so far, in order."""
        file = self.folder / "calls"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [" ".join(json.loads(line)) for line in lines]

    def forget(self) -> None:
        """The calls so far."""
        (self.folder / "calls").unlink(missing_ok=True)

    def kept(self, name: str) -> Any:
        """A JSON file of `.deploy`."""
        return json.loads((self.folder / ".deploy" / name).read_text(encoding="utf-8"))
