"""`rollcall sandbox up|down`: both clouds, simulated on this computer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.output import DONE, FOUND, RefusedError, console, progress, words, write_json
from sandbox.endpoints import Endpoints
from shared.errors import RollcallError

app = typer.Typer(no_args_is_help=True, help="Start and stop both clouds, simulated on this computer.")
FolderOption = Annotated[Path, typer.Option("--folder", help="where the sandbox keeps its files and logs")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]
DEFAULT_FOLDER = Path(".sandbox")
START_PATIENCE_SECONDS = 180.0


class SandboxRefusedError(RollcallError):
    """The sandbox could not be started; the reason ends with what it printed."""


@app.command()
def up(
    folder: FolderOption = DEFAULT_FOLDER,
    arm_endpoint: Annotated[
        str | None, typer.Option("--arm-endpoint", help="another Resource Manager in the place of ours")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the clouds on loopback, until `rollcall sandbox down` or Ctrl-C.

    Example: rollcall sandbox up --json
    """
    refuse_second(folder)
    process = launch(folder, arm_endpoint=arm_endpoint)
    try:
        endpoints = wait_until_ready(process, folder)
        if as_json:
            write_json(endpoints.model_dump())
        else:
            for name, value in endpoints.model_dump().items():
                console.print(words(f"{name:10} {value or '-'}"), soft_wrap=True, highlight=False)
        sys.stdout.flush()
        progress.print("running; end it with Ctrl-C or `rollcall sandbox down`")
        process.wait()
    except KeyboardInterrupt:
        progress.print("stopping")
    finally:
        stop(process)


@app.command()
def down(folder: FolderOption = DEFAULT_FOLDER, as_json: JsonOption = False) -> None:
    """Stop the sandbox of this folder.

    Example: rollcall sandbox down
    """
    endpoints = Endpoints.read(folder)
    stopped = endpoints is not None and request_stop(endpoints, folder)
    if as_json:
        write_json({"stopped": stopped})
    else:
        console.print(words("stopped" if stopped else f"no sandbox runs in {folder}"))
    raise typer.Exit(DONE if stopped else FOUND)


def refuse_second(folder: Path) -> None:
    """Ends the command where a sandbox runs in `folder` already; clears away what a killed one left."""
    import requests

    endpoints = Endpoints.read(folder)
    if endpoints is None:
        return
    try:
        requests.get(f"{endpoints.admin}/journal", params={"since": 10**9}, timeout=2)
    except requests.RequestException:
        (folder / "endpoints.json").unlink(missing_ok=True)
        return
    raise RefusedError(f"a sandbox runs in {folder} already", remedy="end it with `rollcall sandbox down`")


def launch(
    folder: Path, *, arm_endpoint: str | None = None, keep: bool = False, **environment: str
) -> subprocess.Popen[bytes]:
    """Starts the sandbox as a process of its own, which ends when we end unless it is to be kept."""
    command = [sys.executable, "-m", "sandbox", "--folder", str(folder)]
    command += [] if keep else ["--with-starter"]
    if arm_endpoint:
        command += ["--arm-endpoint", arm_endpoint]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sandbox.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL if keep else subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | environment,
        )


def wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> Endpoints:
    """The endpoints once everything answers. Raises SandboxRefusedError with the end of its log."""
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while (endpoints := Endpoints.read(folder)) is None or endpoints.pid != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            printed = (folder / "sandbox.log").read_text(encoding="utf-8", errors="replace")
            raise SandboxRefusedError(f"the sandbox did not start:\n{printed[-3000:]}")
        time.sleep(0.05)
    return endpoints


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a sandbox that we started, and waits for it."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def request_stop(endpoints: Endpoints, folder: Path) -> bool:
    """Asks a sandbox that somebody else started to end; True once it is gone."""
    import requests

    try:
        requests.post(f"{endpoints.admin}/stop", timeout=5)
    except requests.RequestException:
        (folder / "endpoints.json").unlink(missing_ok=True)
        return False
    deadline = time.monotonic() + 20
    while Endpoints.read(folder) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    while _runs(endpoints.pid) and time.monotonic() < deadline:  # its processes end after its endpoints are gone
        time.sleep(0.1)
    return True


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
