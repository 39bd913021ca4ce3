"""Google's own Pub/Sub emulator, where somebody has installed it. It is asked on loopback only.

It comes with Google's command line (`gcloud components install pubsub-emulator`) and needs Java.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

HOST = "127.0.0.1"
PROJECT = "projects/rollcall-emulated"
_START_SECONDS = 40.0
# The emulator takes no notice of its standard input: the shell ends it when that ends, whatever ends the test.
_GUARDED = '"$0" "$@" & emulator=$!; cat >/dev/null; kill $emulator; wait $emulator'


def command() -> str | None:
    """The program: named by ROLLCALL_PUBSUB_EMULATOR, or beside gcloud; None where either it or Java is missing."""
    gcloud = shutil.which("gcloud")
    known = [os.environ.get("ROLLCALL_PUBSUB_EMULATOR", "")]
    if gcloud is not None:
        components = Path(gcloud).resolve().parents[1] / "platform"
        known.append(str(components / "pubsub-emulator" / "bin" / "cloud-pubsub-emulator"))
    program = next((each for each in known if each and Path(each).is_file()), None)
    return program if shutil.which("java") else None


class PubSubEmulator:
    """Topics and push subscriptions, by plain HTTP."""

    def __init__(self, port: int) -> None:
        """It listens on a port of loopback."""
        self._url = f"http://{HOST}:{port}/v1"

    def ask(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """One request; what is refused fails the test."""
        answer = requests.request(method, f"{self._url}/{path}", json=body, timeout=20)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def subscribe(self, name: str, endpoint: str, **fields: Any) -> str:
        """A topic with a subscription that pushes to an endpoint; returns the topic's resource name."""
        topic = f"{PROJECT}/topics/{name}"
        self.ask("PUT", topic, {})
        subscription = {
            "topic": topic,
            "pushConfig": {"pushEndpoint": endpoint},
            "retryPolicy": {"minimumBackoff": "0.1s", "maximumBackoff": "1s"},
            **fields,
        }
        self.ask("PUT", f"{PROJECT}/subscriptions/{name}", subscription)
        return topic

    def publish(self, topic: str, *data: bytes, attributes: dict[str, str] | None = None) -> list[str]:
        """Publishes messages; returns their ids."""
        messages = [{"data": base64.b64encode(each).decode(), "attributes": attributes or {}} for each in data]
        return [str(each) for each in self.ask("POST", f"{topic}:publish", {"messages": messages})["messageIds"]]

    def seek(self, name: str, moment: str) -> None:
        """Sets a subscription back to a time, in Google's spelling."""
        self.ask("POST", f"{PROJECT}/subscriptions/{name}:seek", {"time": moment})


@contextmanager
def pubsub_emulator(folder: Path) -> Iterator[PubSubEmulator]:
    """Runs it for a while, its log in the folder; nothing of it is left at the end."""
    program = command()
    assert program is not None
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    log = folder / "pubsub-emulator.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARDED, program, f"--host={HOST}", f"--port={port}"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=stream,
            stderr=stream,
        )
    assert process.stdin is not None
    try:
        _wait(process, port, log)
        yield PubSubEmulator(port)
    finally:
        process.stdin.close()
        process.wait(timeout=20)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the emulator did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.1)
        else:
            return
