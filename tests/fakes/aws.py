"""The organization, its StackSet and the policy, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.domain.accounts import Account
from shared.domain.policy import Policy
from shared.domain.profiles import FOUNDATIONAL
from shared.domain.publication import PublishedPolicy
from shared.domain.reconciliation import ManagementStack
from shared.domain.stack_sets import IDENTITY_PROVIDER, Deployment, InstanceState, Removal, StackInstance
from shared.errors import PermanentError, TransientError
from tests.fakes.failures import Failures

STACK_SET_ID = "rollcall-member-roles:6f9c1a52-0000-4000-8000-00000000aa01"


class FakeAccountDirectory:
    """Accounts by id; `asked_for_tags` remembers who asked for them."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = {account.account_id: account for account in accounts}
        self.asked_for_tags: list[bool] = []
        self.failures = Failures()

    def add(self, account: Account) -> None:
        """Adds or replaces an account."""
        self.accounts[account.account_id] = account

    def find_account(self, account_id: str, *, with_tags: bool) -> Account | None:
        """The account; tags only where they were asked for."""
        self.asked_for_tags.append(with_tags)
        self.failures.strike(f"find_account {account_id}")
        found = self.accounts.get(account_id)
        return found if found is None or with_tags else replace(found, tags={})


class FakeAccountListing:
    """The accounts of a directory as a list; `tags_read` remembers whose tags were asked for."""

    def __init__(self, directory: FakeAccountDirectory) -> None:
        self.directory = directory
        self.tags_read: list[str] = []
        self.failures = Failures()

    def list_accounts(self) -> tuple[Account, ...]:
        """Every account, without tags."""
        self.failures.strike("list_accounts")
        return tuple(replace(account, tags={}) for account in self.directory.accounts.values())

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """One account's tags."""
        self.tags_read.append(account_id)
        self.failures.strike("tags_of")
        return self.directory.accounts[account_id].tags


OUR_PARAMETERS = frozenset({"TenantId", IDENTITY_PROVIDER, *FOUNDATIONAL.stack_parameters()})


class FakeStackSets:
    """One StackSet, of our own template unless `declared` says otherwise.

    Operations are remembered by id and end when a test says so.
    """

    def __init__(self, declared: frozenset[str] = OUR_PARAMETERS) -> None:
        self.declared = declared
        self.instances: dict[str, StackInstance] = {}
        self.operations: dict[str, Deployment] = {}
        self.removed: list[str] = []
        self.let_go: list[str] = []
        self.removals: list[Removal] = []
        self.read: list[str] = []
        self.refused_accounts: set[str] = set()
        self.failures = Failures()

    def stack_set_id(self) -> str:
        """Its id."""
        self.failures.strike("stack_set_id")
        return STACK_SET_ID

    def declared_parameters(self) -> frozenset[str]:
        """The parameters of its template."""
        self.failures.strike("declared_parameters")
        return self.declared

    def find_instance(self, account_id: str) -> StackInstance | None:
        """The account's instance."""
        self.failures.strike("find_instance")
        self.read.append(account_id)
        return self.instances.get(account_id)

    def list_states(self) -> Mapping[str, InstanceState]:
        """Account id → state."""
        self.failures.strike("list_states")
        return {account_id: instance.state for account_id, instance in self.instances.items()}

    def deploy(self, deployment: Deployment) -> None:
        """Starts an operation: every instance is being worked on until `finish`."""
        self.failures.strike("deploy")
        if deployment.operation_id in self.operations:
            return
        if unknown := sorted(deployment.parameters.keys() - self.declared):
            raise PermanentError(f"Parameters: {unknown} do not exist in the template")
        self.operations[deployment.operation_id] = deployment
        for account_id in deployment.account_ids:
            self.instances[account_id] = StackInstance(
                account_id=account_id, state=InstanceState.IN_PROGRESS, parameters=dict(deployment.parameters)
            )

    def remove(self, removal: Removal) -> None:
        """Deletes the instances at once."""
        self.failures.strike("remove")
        if len(removal.account_ids) > 1 and self.refused_accounts & set(removal.account_ids):
            raise PermanentError("AWS refuses these accounts together")
        self.removals.append(removal)
        for account_id in removal.account_ids:
            if account_id in self.refused_accounts:
                raise PermanentError("AWS refuses this account")
            (self.let_go if removal.retain_stacks else self.removed).append(account_id)
            self.instances.pop(account_id, None)

    def finish(self, account_id: str, state: InstanceState = InstanceState.CURRENT, reason: str = "") -> None:
        """Ends the work on an instance."""
        self.instances[account_id] = replace(self.instances[account_id], state=state, reason=reason)

    def put(self, instance: StackInstance) -> None:
        """Plants an instance."""
        self.instances[instance.account_id] = instance


class FakeManagementStacks:
    """The management account's own stack, if a test gave it one."""

    def __init__(self, stack: ManagementStack | None = None) -> None:
        self.stack = stack
        self.name = "rollcall-member-roles"
        self.failures = Failures()

    def find(self) -> ManagementStack | None:
        """The stack."""
        self.failures.strike("find")
        return self.stack


class FakeReconcileEvents:
    """What was put on the bus."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.batches: list[int] = []
        self.parts: list[tuple[str, str]] = []
        self.failures = Failures()

    def request_accounts(self, account_ids: Sequence[str]) -> None:
        """Asks for accounts."""
        self.failures.strike("request_accounts")
        self.asked += account_ids
        self.batches.append(len(account_ids))

    def request_part(self, run: str, after: str) -> None:
        """Asks for a part."""
        self.failures.strike("request_part")
        self.parts.append((run, after))


class FakePolicySource:
    """A policy that a test may replace."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.failures = Failures()

    def current(self) -> Policy:
        """The policy."""
        self.failures.strike("current")
        return self.policy


class FakePolicyDestination:
    """A place for the policy; `meanwhile` is written by somebody else between `find` and `put`."""

    def __init__(self, url: str, content: bytes | None = None) -> None:
        self.url = url
        self.content = content
        self.meanwhile: bytes | None = None
        self.failures = Failures()
        self.written: list[bytes] = []

    def find(self) -> PublishedPolicy | None:
        """What lies there; the version is made of the content."""
        self.failures.strike("find")
        if self.content is None:
            return None
        return PublishedPolicy(content_hash=hashlib.sha256(self.content).hexdigest(), version=repr(self.content))

    def put(self, content: bytes, *, over: PublishedPolicy | None) -> None:
        """Writes over that version only."""
        self.failures.strike("put")
        if self.meanwhile is not None:
            self.content, self.meanwhile = self.meanwhile, None
        if (over.version if over else None) != (repr(self.content) if self.content is not None else None):
            raise TransientError(f"{self.url} has changed while it was being written", remedy="Run it again.")
        self.content = content
        self.written.append(content)
