"""`python -m sandbox.functions_host --root FOLDER --port 0 --ready-file FILE`: runs the app in FOLDER."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import requests.utils

from sandbox.config import SandboxSettings
from sandbox.functions_host.errors import HostRefusalError
from sandbox.functions_host.host import FunctionsHost
from sandbox.functions_host.structured_log import configure_logging

DRAIN_SECONDS = 2.0
REFUSED = 1
_log = logging.getLogger("functions_host")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.functions_host", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the folder of function_app.py and host.json")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--ready-file", type=Path, help="written once the host listens: url, pid, functions")
    return parser.parse_args()


def _publish(path: Path, host: FunctionsHost) -> None:
    names = [function.name for function in host.functions]
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(json.dumps({"url": host.url, "pid": os.getpid(), "functions": names}), encoding="utf-8")
    draft.replace(path)


def _replace_process(port: int) -> None:
    """Starts this program anew in the same process: the only way to end a thread that does not return.

    The real host does the same to the worker of a function that outlived functionTimeout.
    """
    sys.stdout.flush()
    os.execv(sys.executable, [*sys.orig_argv, "--port", str(port)])  # noqa: S606 - our own command line


def _name_requests(name: str) -> None:
    """Puts the host's name into the User-Agent of requests, too, which has no variable for it as azure-core has."""
    plain = requests.utils.default_user_agent()
    requests.utils.default_user_agent = lambda *_: f"{plain} {name}"


def main() -> int:
    """Runs until SIGTERM or SIGINT; 1 where the app is refused."""
    arguments = _arguments()
    configure_logging()
    _name_requests(os.environ.get("AZURE_HTTP_USER_AGENT", ""))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        host = FunctionsHost(arguments.root.resolve(), os.environ, SandboxSettings(), arguments.port)
    except HostRefusalError as error:
        _log.critical("host does not start", extra={"reason": str(error)})
        return REFUSED
    host.start()
    if arguments.ready_file:
        _publish(arguments.ready_file, host)
    while not stopping.wait(0.1):
        if host.recycle.is_set():
            _log.warning("worker replaced", extra={"reason": "functionTimeout"})
            host.stop(DRAIN_SECONDS / 2)
            _replace_process(host.port)
    host.stop(DRAIN_SECONDS)
    sys.stdout.flush()
    os._exit(0)  # a function that still runs must not keep the process


if __name__ == "__main__":
    sys.exit(main())
