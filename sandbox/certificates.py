"""One certificate authority per sandbox, so that every simulated https endpoint is really https."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi
import trustme


class Certificates:
    """A private authority whose certificates cover `localhost` and `127.0.0.1`."""

    def __init__(self, folder: Path) -> None:
        """Writes `server.key`, `server.crt` (the chain) and `ca-bundle.pem` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        issued = authority.issue_cert("localhost", "127.0.0.1")
        self.key_path = folder / "server.key"
        self.certificate_path = folder / "server.crt"
        self.bundle_path = folder / "ca-bundle.pem"
        issued.private_key_pem.write_to_path(self.key_path)
        self.key_path.chmod(0o600)
        for number, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(self.certificate_path, append=number > 0)
        public = Path(certifi.where()).read_bytes()
        self.bundle_path.write_bytes(authority.cert_pem.bytes() + b"\n" + public)

    def server_context(self) -> ssl.SSLContext:
        """The TLS context of a simulated service."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate_path, self.key_path)
        return context

    def client_context(self) -> ssl.SSLContext:
        """A TLS context that trusts the sandbox and the public authorities."""
        return ssl.create_default_context(cafile=str(self.bundle_path))
