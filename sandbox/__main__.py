"""`python -m sandbox`: runs the sandbox until it is told to stop (signal, admin API, or its starter's end)."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from sandbox.cloud import Sandbox
from sandbox.config import SandboxSettings


def _watch_standard_input(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


def main() -> int:
    """Runs one sandbox; prints its endpoints file when it is ready."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".sandbox"), help="where its files and logs are kept")
    parser.add_argument("--with-starter", action="store_true", help="stop when standard input ends")
    parser.add_argument("--arm-endpoint", help="another Resource Manager in the place of ours")
    arguments = parser.parse_args()
    settings = SandboxSettings(folder=arguments.folder, arm_endpoint=arguments.arm_endpoint)
    sandbox = Sandbox(settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sandbox.stop_requested.set())
    if arguments.with_starter:
        threading.Thread(target=_watch_standard_input, args=(sandbox.stop_requested,), daemon=True).start()
    sandbox.start()
    try:
        print("ready", flush=True)
        sandbox.stop_requested.wait()
    finally:
        sandbox.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
