"""Stack instances: what is there, what has to be deployed, and an operation id that repeats with its content."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from shared.domain.readiness import Attempt

IDENTITY_PROVIDER = "IdentityProvider"
"""The template's parameter that says who makes Defender's identity provider."""


class InstanceState(StrEnum):
    """A stack instance by its detailed status, as far as a decision needs it."""

    CURRENT = "current"
    OUTDATED = "outdated"
    IN_PROGRESS = "in_progress"
    FAILED = "failed"
    SUSPENDED = "suspended"


@dataclass(frozen=True, kw_only=True)
class StackInstance:
    """One account's instance. `parameters` are its overrides, `reason` is AWS's own text.

    `tried_at` is when the operation that failed was started, `attempt` which try of the account's it was; None
    where it did not fail.
    """

    account_id: str
    state: InstanceState
    parameters: Mapping[str, str]
    reason: str = ""
    tried_at: datetime | None = None
    attempt: Attempt | None = None

    def as_declared(self, declared: frozenset[str]) -> StackInstance:
        """The same without overrides that the StackSet's template does not declare: leftovers of an earlier one.

        AWS documents neither that it goes on showing them nor that it drops them, and no operation could name them.
        """
        return replace(self, parameters=declared_only(self.parameters, declared))


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One StackSet operation: the same parameters for some accounts; `update` where instances exist already."""

    operation_id: str
    account_ids: tuple[str, ...]
    parameters: Mapping[str, str]
    update: bool


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One StackSet operation that takes instances away.

    With `retain_stacks` the StackSet only forgets them: the way out of accounts that AWS lets nobody into.
    """

    operation_id: str
    account_ids: tuple[str, ...]
    retain_stacks: bool = False


class Step(StrEnum):
    """What an account's stack instance needs."""

    CREATE = "create"
    UPDATE = "update"
    WAIT = "wait"
    GIVE_UP = "give_up"
    NOTHING = "nothing"


def declared_only(parameters: Mapping[str, str], declared: frozenset[str]) -> dict[str, str]:
    """Those of `parameters` that the StackSet's template declares: AWS refuses an override of any other.

    A template that the portal made declares none of ours: it gives every account of the StackSet the same roles.
    """
    return {name: value for name, value in parameters.items() if name in declared}


def next_step(instance: StackInstance | None, parameters: Mapping[str, str], asked_at: datetime) -> Step:
    """Decides from the present instance (None: there is none) what brings it to `parameters`.

    An instance that failed is created anew: CreateStackInstances retries an instance that has no stack. But
    one that failed after `asked_at`, the time of the event, was tried for this event already. One that is being
    worked on towards other parameters is updated next: the StackSet's managed execution queues operations.
    What differs in `IDENTITY_PROVIDER` was not tried yet, whenever it failed.
    """
    if instance is None or instance.state is InstanceState.SUSPENDED:
        return Step.CREATE
    if instance.state is InstanceState.FAILED:
        tried = instance.parameters.get(IDENTITY_PROVIDER) == parameters.get(IDENTITY_PROVIDER)
        since = instance.tried_at is not None and instance.tried_at >= asked_at
        return Step.GIVE_UP if tried and since else Step.CREATE
    other = dict(instance.parameters) != dict(parameters)
    if instance.state is InstanceState.IN_PROGRESS:
        return Step.UPDATE if instance.parameters and other else Step.WAIT
    return Step.UPDATE if other or instance.state is InstanceState.OUTDATED else Step.NOTHING


def operation_id(
    stack_set_id: str, causes: Iterable[tuple[str, str]], *, update: bool, attempt: Attempt | None = None
) -> str:
    """The id of the operation that `causes` (pairs of account id and event id) ask for.

    The same accounts and events give the same id, which AWS refuses to run twice. A further `attempt` stands in
    it, since AWS keeps nothing else of ours with an operation. Source: CloudFormation API 2010-05-15,
    CreateStackInstances, OperationId (pattern `[a-zA-Z0-9][-a-zA-Z0-9]*`, at most 128 characters).
    """
    made = _id_for(stack_set_id, "update" if update else "create", causes)
    return f"{made}-attempt-{attempt.number}-{int(attempt.first_at.timestamp())}" if attempt else made


def attempt_of(operation_id: str, started_at: datetime) -> Attempt:
    """Which attempt an operation is, by its id; one that says nothing is the first, made when it was started."""
    found = _ATTEMPT.search(operation_id)
    if found is None:
        return Attempt(number=1, first_at=started_at)
    return Attempt(number=int(found[1]), first_at=datetime.fromtimestamp(int(found[2]), UTC))


def removal_id(stack_set_id: str, causes: Iterable[tuple[str, str]]) -> str:
    """The id of the operation that takes instances away because of `causes`; as `operation_id`."""
    return _id_for(stack_set_id, "delete", causes)


def _id_for(stack_set_id: str, kind: str, causes: Iterable[tuple[str, str]]) -> str:
    pairs = ",".join(sorted(f"{account}:{event}" for account, event in causes))
    return str(uuid.uuid5(_NAMESPACE, f"{stack_set_id}|{kind}|{pairs}"))


_ATTEMPT = re.compile(r"-attempt-(\d{1,6})-(\d{1,10})$")
_NAMESPACE = uuid.UUID("3f6e0a52-6d0b-5d7e-9a55-2f3b0b6f2b7c")
