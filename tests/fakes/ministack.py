"""A second AWS emulator, of other authors: ministack, where somebody has installed it. It is asked on loopback only.

Its dependency group is `agreement`, which nothing installs by itself: see `docs/fidelity.md`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
LISTENING = "0A"  # the state in /proc/net/tcp


def command() -> str | None:
    """The program: named by ROLLCALL_MINISTACK, beside the interpreter, or on the path."""
    beside = Path(sys.executable).with_name("ministack")
    return os.environ.get("ROLLCALL_MINISTACK") or (str(beside) if beside.exists() else shutil.which("ministack"))


@contextmanager
def ministack(folder: Path, account_id: str) -> Iterator[str]:
    """Runs it for a while; yields its address. Its memory is its own, its files lie in the folder."""
    program = command()
    assert program is not None
    port = _free_port()
    environment = {
        "BIND_HOST": HOST,  # its default is every interface
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": account_id,
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [program], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait(process, port, folder / "ministack.log")
        assert listening_addresses(process.pid) == {HOST}
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.1)
    message = f"ministack does not start: {log.read_text(errors='replace')[-2000:]}"
    raise AssertionError(message)


def listening_addresses(pid: int) -> set[str]:
    """The addresses that a process listens on, as Linux shows them; an IPv6 one is shown in hexadecimal."""
    open_files = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {each[8:-1] for each in open_files if each.startswith("socket:")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            local, state, inode = (line.split()[index] for index in (1, 3, 9))
            if state == LISTENING and inode in inodes:
                address = local.partition(":")[0]
                found.add(address if table == "tcp6" else socket.inet_ntoa(bytes.fromhex(address)[::-1]))
    return found
