"""The AWS of one sandbox: every service behind one http endpoint, plus what seeds and inspects it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudformation import parsing
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.organizations.models import OrganizationsBackend, organizations_backends
from moto.sts.models import sts_backends

from sandbox.aws import (
    access_keys,
    account_identities,
    alarm_resource,
    bucket_policies,
    bucket_resource,
    delegated_administrators,
    events,
    federation,
    identity_tokens,
    known_services,
    managed_policies,
    many_accounts,
    oidc_provider,
    organizations,
    queue_keys,
    queue_metrics,
    queue_policy_resource,
    queues,
    schedule_resource,
    stack_set_drift,
    stack_set_resource,
    stack_set_responses,
    stack_updates,
    stacks,
    topic_policy_resource,
)
from sandbox.aws.account_creation import AccountCreations, add_account
from sandbox.aws.account_identities import AccountIdentities
from sandbox.aws.active import PARTITION, REGION, ActiveSandbox, StackFailure, activate, deactivate
from sandbox.aws.callers import find_role
from sandbox.aws.identity_tokens import TokenIssuer
from sandbox.aws.journal_middleware import JournalMiddleware
from sandbox.aws.patching import Patch, Patches
from sandbox.aws.scheduler import Scheduler
from sandbox.aws.stack_sets import StackSets
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.serving import Service

_OVERLAYS = (
    access_keys,
    bucket_policies,
    bucket_resource,
    delegated_administrators,
    events,
    federation,
    identity_tokens,
    known_services,
    managed_policies,
    many_accounts,
    oidc_provider,
    organizations,
    queue_keys,
    queues,
    stack_set_drift,
    stack_set_responses,
    stack_updates,
    stacks,
)
# Imported for moto to find them among its providers of metrics and its CloudFormation models.
METRICS = (queue_metrics.QueueMetrics,)
RESOURCES = (
    alarm_resource.AlarmResource,
    bucket_resource.BucketPolicyResource,
    oidc_provider.OidcProviderResource,
    queue_policy_resource.QueuePolicyResource,
    schedule_resource.ScheduleGroupResource,
    schedule_resource.ScheduleResource,
    stack_set_resource.StackSetResource,
    topic_policy_resource.TopicPolicyResource,
)


@dataclass(frozen=True)
class Credentials:
    """Temporary credentials of a role."""

    access_key_id: str
    secret_access_key: str
    session_token: str


@dataclass(frozen=True)
class OrganizationAccount:
    """An account of the organization as others see it."""

    id: str
    state: str


class AwsCloud:
    """A simulated AWS organization on one loopback port. One may run per process, one after another."""

    management_account_id = DEFAULT_ACCOUNT_ID
    region = REGION

    def __init__(
        self,
        journal: Journal,
        settings: SandboxSettings,
        certificates: Certificates,
        faults: Faults | None = None,
    ) -> None:
        self._settings = settings
        self.faults = faults or Faults()
        self._issuer = TokenIssuer(certificates, journal, self.faults)
        self._scheduler = Scheduler()
        self._sandbox = ActiveSandbox(
            settings, journal, self._scheduler, self._issuer, AccountCreations(), StackSets(), self.faults
        )
        self._patches = Patches(_all_patches())
        moto = DomainDispatcherApplication(create_backend_app)
        self._service = Service(JournalMiddleware(moto, journal, self.faults))
        self._undo = ExitStack()

    def start(self) -> AwsCloud:
        """Empties moto, puts the overlay in place and starts to answer."""
        with ExitStack() as undo:
            activate(self._sandbox)
            undo.callback(deactivate)
            self._patches.apply()
            undo.callback(_forget_known_types)
            undo.callback(self._patches.remove)
            _forget_known_types()
            BackendDict.reset()
            reset_model_data()
            organizations_backends.master_accounts.clear()
            mock_random.seed(self._settings.seed)
            self._issuer.start()
            undo.callback(self._issuer.stop)
            self._service.start()
            undo.callback(self._service.stop)
            self._scheduler.start()
            undo.callback(self._scheduler.stop)
            self._undo = undo.pop_all()
        return self

    def stop(self) -> None:
        """Stops answering and all that was still to happen, and gives moto back as it was.

        Raises:
            RuntimeError: if something that AWS does by itself failed while it ran: a defect of the simulator.
        """
        self._undo.close()
        if self._scheduler.failures:
            message = f"{len(self._scheduler.failures)} background tasks of the AWS simulator failed"
            raise RuntimeError(message) from self._scheduler.failures[0]

    @property
    def url(self) -> str:
        """The endpoint of every AWS service."""
        return self._service.url

    @property
    def issuer_url(self) -> str:
        """The management account's token issuer, over https."""
        return self._issuer.url(self.management_account_id)

    @property
    def organization(self) -> OrganizationsBackend:
        """Moto's backend of the management account's organization."""
        return organizations_backends[self.management_account_id][PARTITION]

    def prepare_organization(self) -> str:
        """An organization ready for Rollcall, as an operator prepares one; returns the root's id.

        Creates the organization if there is none, activates StackSets' trusted access and switches outbound
        identity federation on in the management account.
        """
        if self.organization.org is None:
            self.organization.create_organization(REGION, FeatureSet="ALL")
        self._sandbox.stack_sets.organizations_access[self.management_account_id] = "ENABLED"
        self._issuer.enabled.add(self.management_account_id)
        return self.organization.org.root_id if self.organization.org else ""

    def add_account(  # noqa: PLR0913 - keywords, as the admin API has fields
        self,
        name: str,
        *,
        email: str | None = None,
        parent_id: str | None = None,
        state: str = "ACTIVE",
        tags: Mapping[str, str] | None = None,
        joined_at: datetime | None = None,
    ) -> str:
        """Plants an account that has been there for long: no waiting, no event. Returns its id.

        Args:
            name: its name.
            email: its address; derived from the name if left out.
            parent_id: the root or OU that it lives in; the root if left out.
            state: ACTIVE, SUSPENDED or another state of the Organizations API.
            tags: its tags.
            joined_at: since when it belongs to the organization (UTC); since now if left out.
        """
        parameters = {
            "AccountName": name,
            "Email": email or f"{name.lower().replace(' ', '-')}@example.com",
            "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        }
        account = add_account(self.organization, parameters)
        account.parent_id = parent_id or account.parent_id
        account.state = account.status = state
        if joined_at is not None:
            account.create_time = joined_at.astimezone(UTC).replace(tzinfo=None)  # as moto keeps it
        return account.id

    def fail_stack_instances(self, account: str, reason: str, *, times: int | None = None) -> None:
        """Lets the next stack instances of an account (its id or name) fail with `reason`.

        `times` None means: until `mend_stack_instances`.
        """
        self._sandbox.stack_failures[account] = StackFailure(reason, times)

    def mend_stack_instances(self, account: str) -> None:
        """Takes a planted failure back."""
        self._sandbox.stack_failures.pop(account, None)

    def credentials_for_role(self, role_arn: str, *, session_name: str = "rollcall") -> Credentials:
        """Credentials of a new session of a role, as the service that runs as it would get.

        Raises:
            LookupError: if there is no such role.
        """
        if find_role(role_arn) is None:
            message = f"no role {role_arn}"
            raise LookupError(message)
        session = sts_backends[role_arn.split(":")[4]][PARTITION].assume_role(
            region_name=REGION,
            role_session_name=session_name,
            role_arn=role_arn,
            policy="",
            duration=3600,
            external_id="",
        )
        return Credentials(session.access_key_id, session.secret_access_key, session.session_token)

    def believe(self, verify: Callable[[str], dict[str, Any] | None]) -> None:
        """Takes web identities that `verify` knows: it returns the claims of a token, or None."""
        self._sandbox.verify_web_token = verify

    def inspect_account(self, account_id: str, *, tenant_id: str | None = None) -> AccountIdentities | None:
        """The identity providers and roles of an account; None where there is no such account."""
        return account_identities.inspect(account_id, tenant_id)

    def organization_accounts(self, management_account_id: str) -> list[OrganizationAccount]:
        """The accounts of the organization that an account manages; none where it manages none."""
        if management_account_id != self.management_account_id or self.organization.org is None:
            return []
        return [OrganizationAccount(account.id, account.state) for account in list(self.organization.accounts)]


def _all_patches() -> Iterable[Patch]:
    for overlay in _OVERLAYS:
        yield from overlay.patches()


def _forget_known_types() -> None:
    """Moto remembers the CloudFormation models that it first saw; ours may have come later."""
    parsing.get_model_list.cache_clear()
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()
