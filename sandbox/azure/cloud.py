"""Azure as one object: starts every simulated service and says where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.azure.assertions import AssertionVerifier, IssuerKeys
from sandbox.azure.authorization_routes import AuthorizationOperations
from sandbox.azure.automations import AutomationOperations
from sandbox.azure.classic_connectors import ClassicConnectors
from sandbox.azure.connectors import SecurityConnectors
from sandbox.azure.directory import FUNCTIONS, OPERATOR, Directory, default_directory
from sandbox.azure.entra import Entra, Tenant
from sandbox.azure.exchange import Endpoint, Exchange
from sandbox.azure.fault_answers import entra_fault, managed_identity_fault, monitor_fault, resource_manager_fault
from sandbox.azure.governance_rules import GovernanceRuleOperations
from sandbox.azure.identities import InspectAccount, ListAccounts, no_accounts
from sandbox.azure.locks import Locks
from sandbox.azure.logic_apps import LogicAppOperations
from sandbox.azure.machines import MachineOperations
from sandbox.azure.managed_identity import ManagedIdentityEndpoint
from sandbox.azure.management_routes import ManagementOperations
from sandbox.azure.monitor import INSTRUMENTATION_KEY, MonitorIngestion
from sandbox.azure.native_members import NativeMembers
from sandbox.azure.pricing_routes import PricingOperations
from sandbox.azure.pricings import Pricings
from sandbox.azure.provider_routes import ConnectorOperations, graph_routes
from sandbox.azure.receivers import Receivers, receivers_fault
from sandbox.azure.resource_graph import ResourceGraph
from sandbox.azure.resource_manager import ResourceManager
from sandbox.azure.resources import Resources
from sandbox.azure.standards import StandardOperations
from sandbox.azure.storage import Storage
from sandbox.azure.tokens import Tokens
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.faults import Fault, Faults
from sandbox.journal import Journal
from sandbox.serving import Service

if TYPE_CHECKING:
    from werkzeug import Response


class AzureCloud:
    """One tenant with one subscription, a storage account and the connectors' resource group."""

    def __init__(  # noqa: PLR0913 - the last is a keyword that only a sandbox with an organization gives
        self,
        journal: Journal,
        settings: SandboxSettings,
        certificates: Certificates,
        inspect_account: InspectAccount,
        faults: Faults | None = None,
        *,
        list_accounts: ListAccounts = no_accounts,
    ) -> None:
        """Prepares everything; nothing listens before `start`.

        Args:
            journal: gets every request to every service here.
            settings: tenant, subscription, times.
            certificates: of the https endpoints.
            inspect_account: what Defender for Cloud would find in an AWS account.
            faults: asked about every request that a service admits.
            list_accounts: the organization that an AWS account manages.
        """
        self._journal = journal
        self._certificates = certificates
        self.subscription_id = settings.subscription_id
        self.faults = faults or Faults()
        self.directory = default_directory(settings.tenant_id, settings.subscription_id)
        self.tokens = Tokens(self.directory)
        self.tokens.granted_seconds = settings.token_seconds
        self.resources = Resources()
        self.resources.add_subscription(settings.subscription_id)
        self.resources.add_resource_group(settings.subscription_id, settings.resource_group)
        self.issuer_keys = IssuerKeys(certificates)
        self._entra = Entra(self._tenant(self.tokens), lambda: self.authority_url)
        self._identities = ManagedIdentityEndpoint(self.directory, self.tokens, self._entra.resources)
        self.identity_headers = {
            "functions": self._identities.attach(FUNCTIONS),
            "operator": self._identities.attach(OPERATOR),
        }
        self._add_providers(settings, inspect_account, list_accounts)
        self.resource_manager = self._resource_manager()
        self.storage = Storage(
            journal,
            certificates,
            settings.folder / "azure",
            self.tokens,
            self.faults,
            queue_service=settings.queue_service,
            keeps_data=settings.storage_keeps_data,
        )
        self._services: dict[str, Service] = {}

    def _add_providers(
        self, settings: SandboxSettings, inspect_account: InspectAccount, list_accounts: ListAccounts
    ) -> None:
        self.monitor = MonitorIngestion(self.tokens, settings.subscription_id)
        self.receivers = Receivers()
        self.connectors = SecurityConnectors(self.resources, settings, inspect_account)
        self.graph = ResourceGraph(self.resources, self.directory, lag_seconds=settings.resource_graph_lag_seconds)
        self.pricings = Pricings(self.resources, gap_seconds=settings.pricing_gap_seconds)
        self.locks = Locks(self.resources)
        self.classic_connectors = ClassicConnectors()
        self.native_members = (
            None
            if settings.native_members_seconds is None
            else NativeMembers(self.resources, list_accounts, settings.native_members_seconds)
        )

    def _tenant(self, tokens: Tokens) -> Tenant:
        verifier = AssertionVerifier(tokens.directory, self.issuer_keys)
        return Tenant(directory=tokens.directory, tokens=tokens, verifier=verifier)

    def add_tenant(self, tenant_id: str) -> Tenant:
        """Another tenant of the same Entra, empty; subscription and storage account are not its own."""
        directory = Directory(tenant_id, storage_scope=self.directory.storage_scope)
        tenant = self._tenant(Tokens(directory, signing_as=self.tokens))
        self._entra.add(tenant)
        return tenant

    def _resource_manager(self) -> ResourceManager:
        routes = [
            *ConnectorOperations(self.connectors).routes(),
            *graph_routes(self.graph),
            *PricingOperations(self.pricings).routes(),
            *AuthorizationOperations(self.resources, self.directory, self.locks).routes(),
            *self.classic_connectors.routes(),
            *StandardOperations(self.resources).routes(),
            *GovernanceRuleOperations(self.resources, self.directory.tenant_id).routes(),
            *AutomationOperations(self.resources).routes(),
            *LogicAppOperations(self.resources).routes(),
            *MachineOperations(self.resources, self.directory.tenant_id).routes(),
            *ManagementOperations(self.resources, self.directory).routes(),
        ]
        return ResourceManager(self.tokens, self.resources, routes, self.locks)

    def start(self) -> AzureCloud:
        """Starts everything.

        Raises:
            AzuriteError: Azurite is not installed or does not start.
        """
        self.storage.start()
        self._serve("entra", self._entra.answer, entra_fault)
        self._serve("managed-identity", self._identities.answer, managed_identity_fault, tls=False)
        self._serve("arm", self.resource_manager.answer, resource_manager_fault)
        self._serve("monitor", self.monitor.answer, monitor_fault)
        self._serve("receivers", self.receivers.answer, receivers_fault)
        if self.native_members is not None:
            self.native_members.start()
        return self

    def stop(self) -> None:
        """Ends everything; may be called twice."""
        if self.native_members is not None:
            self.native_members.stop()
        while self._services:
            self._services.popitem()[1].stop()
        self.storage.stop()

    def _serve(
        self,
        name: str,
        answer: Callable[[Exchange], Response],
        faulted: Callable[[Exchange, Fault], Response],
        *,
        tls: bool = True,
    ) -> None:
        application = Endpoint(name, self._journal, answer, faults=self.faults, faulted=faulted)
        context = self._certificates.server_context() if tls else None
        self._services[name] = Service(application, tls=context).start()

    @property
    def authority_url(self) -> str:
        """The Entra authority host; clients must switch instance discovery off for it."""
        return self._services["entra"].url

    @property
    def arm_url(self) -> str:
        """Resource Manager and Resource Graph."""
        return self._services["arm"].url

    @property
    def monitor_url(self) -> str:
        """Where Application Insights takes telemetry."""
        return f"{self._services['monitor'].url}/"

    @property
    def monitor_connection(self) -> str:
        """Its connection string; no secret, since keys are switched off."""
        return f"InstrumentationKey={INSTRUMENTATION_KEY};IngestionEndpoint={self.monitor_url}"

    @property
    def receivers_url(self) -> str:
        """Where the receivers of notices are."""
        return self._services["receivers"].url

    @property
    def identity_endpoint(self) -> str:
        """The value of `IDENTITY_ENDPOINT`; plain http, as in App Service."""
        return f"{self._services['managed-identity'].url}/msi/token"

    @property
    def queue_url(self) -> str:
        """The queue service, account included."""
        return self.storage.url("queue")

    @property
    def blob_url(self) -> str:
        """The blob service, account included."""
        return self.storage.url("blob")

    @property
    def table_url(self) -> str:
        """The table service, account included."""
        return self.storage.url("table")

    @property
    def urls(self) -> dict[str, str]:
        """Every endpoint under the names of the sandbox's contract."""
        return {
            "arm": self.arm_url,
            "authority": self.authority_url,
            "queue": self.queue_url,
            "blob": self.blob_url,
            "table": self.table_url,
            "identity": self.identity_endpoint,
        }

    def mint(self, identity_name: str, audience: str) -> str:
        """An access token of a named identity; KeyError for one that the tenant does not have."""
        return self.tokens.mint(self.directory.get(identity_name), audience)
