"""What the use cases need from the outside, in our words; the adapters satisfy these Protocols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from shared.domain.accounts import Account
    from shared.domain.connectors import Connector, ConnectorBody, ConnectorId
    from shared.domain.ledger import AccountKey, AccountRecord, HistoryEntry
    from shared.domain.offboarding import Lock, Machine
    from shared.domain.policy import Policy
    from shared.domain.prechecks import SubscriptionFacts
    from shared.domain.publication import PublishedPolicy
    from shared.domain.readiness import Retry
    from shared.domain.reconciliation import ManagementStack
    from shared.domain.stack_sets import Deployment, InstanceState, Removal, StackInstance
    from shared.domain.subscription_plans import SubscriptionPlan
    from shared.domain.targets import Target
    from shared.domain.template_rollout import BucketFacts, CallerFacts, DeployedTemplate, Rollout
    from shared.messages.connector_request import ConnectorRequest
    from shared.messages.parked_request import ParkedRequest


class Clock(Protocol):
    """Time, so that tests own it."""

    def now(self) -> datetime:
        """The present, timezone-aware UTC."""

    def sleep(self, seconds: float) -> None:
        """Waits; never longer than a pacing slot."""


class PolicySource(Protocol):
    """Where the policy comes from."""

    def current(self) -> Policy:
        """The policy, at most a minute old. Raises ConfigurationError, TransientError."""


class PolicyDestination(Protocol):
    """A place that the policy is published to. All methods raise TransientError, ConfigurationError."""

    @property
    def url(self) -> str:
        """Its address, as people give it."""

    def find(self) -> PublishedPolicy | None:
        """What lies there now; None where nothing does."""

    def put(self, content: bytes, *, over: PublishedPolicy | None) -> None:
        """Writes over what `find` saw. Raises TransientError where somebody else has written since."""


class AccountDirectory(Protocol):
    """The organization's own list of accounts."""

    def find_account(self, account_id: str, *, with_tags: bool) -> Account | None:
        """The account as it is now; None where the organization has none of that id. Raises TransientError."""


class AccountListing(Protocol):
    """The organization's whole list of accounts, as cheap as it can be had."""

    def list_accounts(self) -> tuple[Account, ...]:
        """Every account once, without its tags; all of them or an error. Raises TransientError, ConfigurationError."""

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """One account's tags, at a pace that the organization bears. Raises TransientError, ConfigurationError."""


class ManagementAccount(Protocol):
    """Who asks, and what has been prepared for StackSets. All methods raise TransientError, ConfigurationError."""

    def inspect(self) -> CallerFacts:
        """The caller and the organization as they are now."""

    def activate_organizations_access(self) -> None:
        """Lets StackSets work for the organization."""


class TemplateBucket(Protocol):
    """The object that templates are deployed from. All methods raise TransientError, ConfigurationError."""

    @property
    def url(self) -> str:
        """Its https address."""

    def inspect(self) -> BucketFacts:
        """The bucket as it is now."""

    def find(self) -> str:
        """The SHA-256 of the template that lies there, in hexadecimal; empty where none does."""

    def put(self, content: bytes) -> None:
        """Writes a new version."""


class RoleDeployment(Protocol):
    """Something of CloudFormation that is made of the template: the StackSet, or the management account's Stack.

    All methods raise TransientError, PermanentError, ConfigurationError.
    """

    def find(self) -> DeployedTemplate | None:
        """What it has now; None where it does not exist."""

    def create(self, template_url: str, parameters: Mapping[str, str]) -> str:
        """Makes it. Returns the id to wait for; empty where there is nothing to wait for."""

    def update(self, template_url: str, parameters: Mapping[str, str], present: DeployedTemplate) -> str:
        """Gives it the template, `parameters`, and of its other parameters those it has. Returns the id to wait for."""

    def progress(self, waiting_for: str) -> Rollout:
        """How far what was started has come."""


class StackSets(Protocol):
    """The one StackSet that carries Defender's roles into accounts."""

    def stack_set_id(self) -> str:
        """Its id. Raises ConfigurationError where it does not exist."""

    def declared_parameters(self) -> frozenset[str]:
        """The parameters that its template declares, at most a minute old: an instance may override these only."""

    def find_instance(self, account_id: str) -> StackInstance | None:
        """The account's stack instance as it is now; None where there is none."""

    def deploy(self, deployment: Deployment) -> None:
        """Starts one operation; one that was started before under the same id is left alone.

        Raises TransientError, PermanentError (AWS refuses these accounts), ConfigurationError.
        """

    def remove(self, removal: Removal) -> None:
        """Starts to delete instances and what their stacks made; a single one that is gone is no error.

        Raises as `deploy` does.
        """


class StackInstances(Protocol):
    """All instances of the one StackSet, to look at."""

    def list_states(self) -> Mapping[str, InstanceState]:
        """Account id → state of its instance; all of them or an error. Raises TransientError, ConfigurationError."""

    def declared_parameters(self) -> frozenset[str]:
        """As `StackSets.declared_parameters`."""

    def find_instance(self, account_id: str) -> StackInstance | None:
        """As `StackSets.find_instance`: with its parameters, which the listing does not tell."""


class ManagementStacks(Protocol):
    """The management account's own stack of the member template, which StackSets never deploy there."""

    @property
    def name(self) -> str:
        """The name that it has to have."""

    def find(self) -> ManagementStack | None:
        """The stack as it is now; None where there is none. Raises TransientError, ConfigurationError."""


class ReconcileEvents(Protocol):
    """Our own events on the bus, for the comparison of everything. Both raise TransientError, ConfigurationError."""

    def request_accounts(self, account_ids: Sequence[str]) -> None:
        """Asks the function `account_events` to look at these accounts."""

    def request_part(self, run: str, after: str) -> None:
        """Asks for the part of the run that begins after that account id."""


class AccountRetries(Protocol):
    """The queue `account-events`, for looks at accounts that are to come."""

    def ask_again(self, account_id: str, retry: Retry) -> None:
        """Asks the function `account_events` to look at the account when the retry is due.

        The same retry asked for again is the same event. Raises TransientError, ConfigurationError.
        """


class AccountRoles(Protocol):
    """The roles inside a member account, to look at."""

    def find_provider_users(self, account_id: str, *, tenant_id: str) -> tuple[str, ...] | None:
        """Roles that trust the provider of Defender's tenant, or that of `tenant_id`, and are not Defender's own.

        None where we may not look. Raises TransientError, ConfigurationError.
        """


class RequestSender(Protocol):
    """The queue `onboarding`, for those who may only put."""

    def send(self, request: ConnectorRequest, *, delay_seconds: float = 0.0) -> None:
        """Puts a request, visible after `delay_seconds`. Raises TransientError, ConfigurationError."""


class RequestQueue(RequestSender, Protocol):
    """The queue `onboarding` and its poison queue, for the side that works on them."""

    def park(self, parked: ParkedRequest) -> None:
        """Puts a parked request on the poison queue, where it never expires."""


class ParkedBodies(Protocol):
    """Messages that are too large to be parked together with their reason, by the SHA-256 of their bytes."""

    def keep(self, digest: str, body: bytes) -> None:
        """Keeps at most 64 KiB, for good; keeping the same again changes nothing. Raises TransientError."""

    def find(self, digest: str) -> bytes | None:
        """What was kept; None where nothing was. Raises TransientError."""


class Ledger(Protocol):
    """The record of what happened to each account. All methods raise TransientError."""

    def find(self, key: AccountKey) -> AccountRecord | None:
        """The account's line; None where nothing was ever reported."""

    def claim(self, key: AccountKey, *, owner: str, now: datetime, seconds: float, connecting: bool = False) -> bool:
        """Takes the account for `owner`; False where another holds it. Claims end by themselves.

        `connecting` says that a connector is made, which is a state unless the account is connected already.
        """

    def record(self, entry: HistoryEntry, *, release: str | None = None) -> None:
        """Adds to the history, advances the account's line and ends the claim of `release`."""

    def list_records(self, between: tuple[AccountKey, AccountKey] | None = None) -> Iterator[AccountRecord]:
        """Every account's line, or those from one key to another of the same provider, both included."""

    def history(self, key: AccountKey) -> Iterator[HistoryEntry]:
        """What happened to an account, newest first."""


class Connectors(Protocol):
    """Security connectors in Resource Manager."""

    def find(self, connector_id: ConnectorId) -> Connector | None:
        """The connector as it is now. Raises TransientError, ConfigurationError."""

    def put(self, connector_id: ConnectorId, body: ConnectorBody) -> Connector:
        """Creates or replaces it. Raises TransientError, PermanentError, ConfigurationError."""

    def delete(self, connector_id: ConnectorId) -> None:
        """Deletes it; one that is not there is no error. Raises TransientError, PermanentError, ConfigurationError."""

    def tag(self, connector_id: ConnectorId, name: str, value: str) -> Connector:
        """Adds one tag to those that it has. Raises TransientError, PermanentError, ConfigurationError."""


class Subscriptions(Protocol):
    """What the subscriptions of targets have and allow."""

    def inspect(self, target: Target, *, max_age_seconds: float) -> SubscriptionFacts:
        """The facts, at most that old. Raises TransientError, ConfigurationError."""


class ConnectorSurroundings(Protocol):
    """What stands around a connector. All methods raise TransientError, ConfigurationError."""

    def list_locks(self, connector_id: ConnectorId) -> Iterator[Lock]:
        """The locks that reach it."""

    def list_machines(self, key: AccountKey) -> Iterator[Machine]:
        """The account's Arc machines, in the whole tenant."""


class SubscriptionPlans(Protocol):
    """Defender's plans of a subscription. All methods raise our errors only."""

    def list_plans(self, subscription_id: str) -> tuple[SubscriptionPlan, ...]:
        """Every plan that there is."""

    def enable_plan(self, subscription_id: str, name: str) -> SubscriptionPlan:
        """Switches one on, with the parts that it has by itself."""


class Automations(Protocol):
    """What tells a Logic App of alerts. All methods raise our errors only."""

    def find(self, automation_id: str) -> dict[str, Any] | None:
        """The automation; None where there is none."""

    def put(self, automation_id: str, body: dict[str, Any]) -> None:
        """Creates or replaces it."""

    def callback_url(self, logic_app_id: str) -> str:
        """The address, with its secret, that starts the Logic App."""


class Compliance(Protocol):
    """Standards and governance rules of connectors. All methods raise our errors; Permanent where Defender refuses."""

    def list_standards(self, connector_id: ConnectorId) -> Mapping[str, str]:
        """The standards that the connector offers: display name → id."""

    def list_assigned(self, connector_id: ConnectorId) -> frozenset[str]:
        """The ids of the standards that are assigned to the connector."""

    def assign(self, connector_id: ConnectorId, assignment: str, body: dict[str, Any]) -> None:
        """Assigns a standard under the GUID `assignment`. Raises PermanentError where Defender refuses."""

    def find_rule(self, connector_id: ConnectorId, rule: str) -> dict[str, Any] | None:
        """The governance rule with that GUID; None where there is none."""

    def put_rule(self, connector_id: ConnectorId, rule: str, body: dict[str, Any]) -> None:
        """Creates or replaces a governance rule. Raises PermanentError where Defender refuses."""


class TenantSnapshot(Protocol):
    """All connectors of the tenant, at most a minute old."""

    def find_by_hierarchy(self, hierarchy_identifier: str) -> tuple[Connector, ...]:
        """The connectors of that account, wherever they are. Raises TransientError, ConfigurationError."""

    def list_all(self) -> tuple[Connector, ...]:
        """Every connector that may be read; all of them or an error. Raises TransientError, ConfigurationError."""

    def list_organizational(self, *, organizational: bool) -> tuple[Connector, ...]:
        """Those that say something about an organization, or those that do not; raises as `list_all` does."""

    def remember(self, connector: Connector) -> None:
        """Puts a connector that was just written into the snapshot."""

    def forget(self, connector_id: ConnectorId) -> None:
        """Takes a connector that was just deleted out of the snapshot."""


class Pacer(Protocol):
    """The write budget of a subscription, shared by all processes."""

    def reserve(self, subscription_id: str) -> datetime:
        """When the next write may be made (UTC); a time in the past means now. Raises TransientError."""
