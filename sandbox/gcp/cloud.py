"""Google Cloud as one object: one server for all of its services, and what a test changes behind their back."""

from __future__ import annotations

from typing import Any

from werkzeug import Response

from sandbox.azure.exchange import Endpoint, Exchange
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.faults import Faults
from sandbox.gcp.access import Access
from sandbox.gcp.answers import json_answer
from sandbox.gcp.audit import Audit
from sandbox.gcp.callers import SERVICE_ACCOUNT_DOMAIN, AccessTokens, Caller, person, service_account
from sandbox.gcp.compute import Compute
from sandbox.gcp.fault_answers import google_fault
from sandbox.gcp.hierarchy import Folder, Hierarchy, Project
from sandbox.gcp.iam import Iam, Identities
from sandbox.gcp.intake import Intake
from sandbox.gcp.operations import Operations
from sandbox.gcp.org_policies import OrgPolicies
from sandbox.gcp.policies import Policies
from sandbox.gcp.pubsub import PushSettings, PushSubscription
from sandbox.gcp.push_signing import CERTS_PATH, PushSigner
from sandbox.gcp.resource_manager import ResourceManager
from sandbox.gcp.routing import Gate, Routing
from sandbox.gcp.service_usage import ServiceUsage
from sandbox.gcp.token_services import ClaimsOf, TokenServices
from sandbox.journal import Journal
from sandbox.serving import Service

SERVICE = "gcp"
ADMINISTRATOR = "administrator@example.com"
"""Owner of the organization: whoever makes projects in tests and in the demo."""
_ADMINISTRATORS_TOKEN_SECONDS = 24 * 3600.0


class GcpCloud:
    """One organization with its administrator, and whatever is added."""

    def __init__(
        self,
        journal: Journal,
        settings: SandboxSettings,
        certificates: Certificates,
        claims_of: ClaimsOf,
        faults: Faults | None = None,
    ) -> None:
        """Prepares everything; nothing listens before `start`.

        Args:
            journal: gets every request, and every push.
            settings: the organization's number, times.
            certificates: of the https endpoint.
            claims_of: the claims of a token of Entra whose signature holds, None of any other.
            faults: asked about every request that is admitted.
        """
        self._journal = journal
        self._certificates = certificates
        self._faults = faults or Faults()
        self.organization = settings.gcp_organization
        self.hierarchy = Hierarchy(self.organization, settings.seed)
        self.access = Access()
        self.access.grant(self.hierarchy.root, "roles/owner", f"user:{ADMINISTRATOR}")
        self.tokens = AccessTokens()
        self.identities = Identities()
        self.signer = PushSigner()
        self.audit = Audit()
        self.operation_seconds = settings.gcp_operation_seconds
        self.gate = Gate(self.tokens, self.access, self.hierarchy)
        self.intake = Intake()
        self.org_policies = OrgPolicies(self.hierarchy)
        self.policies = Policies(self.gate, self._is_ours, self.org_policies)
        self.routing = self._routing(claims_of, settings.gcp_search_lag_seconds)
        self._subscriptions: list[PushSubscription] = []
        self._service: Service | None = None

    def _routing(self, claims_of: ClaimsOf, search_lag_seconds: float) -> Routing:
        operations = Operations(lambda: self.operation_seconds)
        self.resource_manager = ResourceManager(
            self.gate, self.policies, operations, self.audit, search_lag_seconds=search_lag_seconds
        )
        self.compute = Compute(self.gate, operations)
        return Routing(
            self.gate,
            [
                *self.resource_manager.routes(),
                *ServiceUsage(self.gate, operations).routes(),
                *Iam(self.gate, self.policies, self.identities, operations, self.org_policies).routes(),
                *self.org_policies.routes(),
                *self.intake.routes(),
                *TokenServices(self.gate, self.tokens, self.identities, claims_of).routes(),
                *self.compute.routes(),
            ],
        )

    def start(self) -> GcpCloud:
        """Starts to answer."""
        endpoint = Endpoint(SERVICE, self._journal, self._answer, faults=self._faults, faulted=google_fault)
        self._service = Service(endpoint, tls=self._certificates.server_context()).start()
        return self

    def stop(self) -> None:
        """Ends the server and every subscription; may be called twice."""
        while self._subscriptions:
            self._subscriptions.pop().stop()
        if self._service is not None:
            self._service.stop()
            self._service = None

    def _answer(self, exchange: Exchange) -> Response:
        if exchange.request.path == CERTS_PATH and exchange.request.method == "GET":
            exchange.operation = "oauth2.certs"
            exchange.admitted()
            return json_answer(200, self.signer.jwks, {"Cache-Control": "public, max-age=19845, must-revalidate"})
        return self.routing.answer(exchange)

    @property
    def url(self) -> str:
        """Where every service is, each below its own name."""
        if self._service is None:
            raise RuntimeError("the simulated Google Cloud is not started")
        return self._service.url

    @property
    def certs_url(self) -> str:
        """Where the keys of pushes are published."""
        return f"{self.url}{CERTS_PATH}"

    def push_to(self, settings: PushSettings) -> PushSubscription:
        """Pushes every entry about projects to an endpoint from now on, until `stop`."""
        trust = str(self._certificates.bundle_path)
        subscription = PushSubscription(settings, self.signer, self._journal, trust=trust).start()
        self._subscriptions.append(subscription)
        self.audit.listeners.append(subscription.publish)
        return subscription

    def is_all_pushed(self) -> bool:
        """Whether every entry is acknowledged, or dead."""
        return all(each.wait_until_empty(0) for each in self._subscriptions)

    def seek(self) -> int:
        """Every subscription delivers all that was acknowledged once more; returns how many messages that are."""
        return sum(each.seek() for each in self._subscriptions)

    def token_of(self, email: str) -> str:
        """An access token of a service account or a person, without any exchange; KeyError where nobody can be it."""
        return self.tokens.mint(self._caller(email), _ADMINISTRATORS_TOKEN_SECONDS)

    def _caller(self, email: str) -> Caller:
        if "@" not in email:
            raise KeyError(email)
        if not email.endswith(SERVICE_ACCOUNT_DOMAIN):
            return person(email)
        project = self.hierarchy.find_project(str(self.identities.accounts[email]["projectId"]))
        return service_account(email, project.number if project else "")

    def add_folder(self, display_name: str, parent: str = "") -> Folder:
        """A folder; below the organization where no parent is given."""
        return self.hierarchy.add_folder(display_name, parent)

    def folder_at(self, path: str) -> str:
        """The resource name of the folder at a path of display names, made where it is missing; `/` is the root."""
        parent = self.hierarchy.root
        for part in filter(None, path.split("/")):
            name = part.replace("%2F", "/")
            there = (each for each in self.hierarchy.folders() if (each.display_name, each.parent) == (name, parent))
            parent = (next(there, None) or self.add_folder(name, parent)).name
        return parent

    def add_project(self, project_id: str, parent: str | None = None, **fields: Any) -> Project:
        """A project that has been there for long: no entry tells of it.

        It lies below the organization where no parent is given, and in no organization where that is empty.
        """
        project = Project(
            number=fields.pop("number", "") or self.hierarchy.new_number(),
            project_id=project_id,
            display_name=fields.pop("display_name", project_id),
            parent=self.hierarchy.root if parent is None else parent,
            **fields,
        )
        return self.hierarchy.add_project(project)

    def _is_ours(self, member: str) -> bool:
        """Whether a member belongs to the organization: its domain's people, its projects' accounts and pools."""
        kind, _, name = member.partition(":")
        if kind in {"principal", "principalSet"}:
            number = name.removeprefix("//iam.googleapis.com/projects/").partition("/")[0]
            return self.hierarchy.find_project(number) is not None
        if name.endswith(SERVICE_ACCOUNT_DOMAIN):
            project_id = name.partition("@")[2].removesuffix(SERVICE_ACCOUNT_DOMAIN)
            return self.hierarchy.find_project(project_id) is not None
        return name.endswith("@example.com")
