"""A Google Cloud of the sandbox, deployed for Rollcall, with just so much of Entra as its tokens need."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from azure.core.credentials import AccessToken

from sandbox.azure.directory import FUNCTIONS, Directory, default_directory
from sandbox.azure.tokens import Tokens
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.faults import Faults
from sandbox.gcp.cloud import ADMINISTRATOR, GcpCloud
from sandbox.gcp.deployment import GcpDeployment, deploy
from sandbox.journal import Journal
from sandbox.trust import trusting
from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.credentials import GoogleIdentity, federated_session
from shared.adapters.gcp.identities import GcpProjectIdentities
from shared.adapters.gcp.instances import GcpInstances
from shared.adapters.gcp.projects import GcpProjects
from shared.adapters.gcp.rules import GcpOrganizationRules
from shared.adapters.gcp.setup import GcpProjectSetup
from shared.application.gcp_ports import Google
from shared.application.ports import Clock
from tests.fakes.clock import FakeClock


@dataclass
class GcpWorld:
    """The cloud, Entra's tokens, and what was deployed."""

    cloud: GcpCloud
    tokens: Tokens
    journal: Journal
    faults: Faults
    certificates: Certificates
    deployed: GcpDeployment

    @property
    def directory(self) -> Directory:
        """Who is in Entra."""
        return self.tokens.directory

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The Function App's token for an audience: the world is its own credential."""
        audience = scopes[0].removesuffix("/.default")
        return AccessToken(self.tokens.mint(self.directory.get(FUNCTIONS), audience), int(time.time()) + 600)

    def identity(self) -> GoogleIdentity:
        """How the Function App gets in."""
        return GoogleIdentity(
            audience=self.deployed.audience,
            resource="api://rollcall-gcp",
            service_account=self.deployed.service_account,
            endpoint=self.cloud.url,
        )

    def client(self, clock: Clock | None = None) -> GoogleClient:
        """The real client, with tokens of its own; it does not really wait between its tries unless by a real clock."""
        session = federated_session(self, self.identity())
        return GoogleClient(session, clock or FakeClock(), endpoint=self.cloud.url)

    def google(self) -> Google:
        """The real adapters, opened as the Function App opens them."""
        return WorldsGoogle(self)

    def ask(
        self, method: str, path: str, body: Any = None, *, who: str = ADMINISTRATOR, token: str | None = None
    ) -> requests.Response:
        """One request as somebody, by plain HTTP."""
        shown = self.cloud.token_of(who) if token is None else token
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        return requests.request(
            method,
            f"{self.cloud.url}{path}",
            json=body,
            headers=headers,
            verify=str(self.certificates.bundle_path),
            timeout=20,
        )


class WorldsGoogle:
    """The adapters behind the port, with a client of their own."""

    def __init__(self, world: GcpWorld) -> None:
        self._client = world.client()
        self._organization = world.cloud.organization

    def projects(self) -> GcpProjects:
        """The organization's."""
        return GcpProjects(self._client, self._organization, FakeClock())

    def setup(self) -> GcpProjectSetup:
        """What is switched on."""
        return GcpProjectSetup(self._client, FakeClock())

    def identities(self) -> GcpProjectIdentities:
        """Defender's way in."""
        return GcpProjectIdentities(self._client)

    def instances(self) -> GcpInstances:
        """Their virtual machines."""
        return GcpInstances(self._client, self.setup())

    def rules(self) -> GcpOrganizationRules:
        """What is granted and what is forbidden."""
        return GcpOrganizationRules(self._client)


@contextmanager
def gcp_world(folder: Path, *, standalone: bool = False, **settings: Any) -> Iterator[GcpWorld]:
    """The world, until the end of the block; nothing waits unless `settings` say so.

    `standalone`: Rollcall may look at identities in every project, not in the management project only.
    """
    short = {"gcp_operation_seconds": 0.0, "gcp_search_lag_seconds": 0.0}
    chosen = SandboxSettings(folder=folder, **{**short, **settings})
    certificates, journal, faults = Certificates(folder / "certificates"), Journal(), Faults()
    tokens = Tokens(default_directory(chosen.tenant_id, chosen.subscription_id))
    cloud = GcpCloud(journal, chosen, certificates, tokens.claims_of, faults)
    with trusting(certificates.bundle_path):
        cloud.start()
        object_id = tokens.directory.get(FUNCTIONS).object_id
        deployed = deploy(cloud, tenant_id=chosen.tenant_id, object_id=object_id, standalone=standalone)
        try:
            yield GcpWorld(cloud, tokens, journal, faults, certificates, deployed)
        finally:
            cloud.stop()
