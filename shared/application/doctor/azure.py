"""What Azure's side says to the identity that asks: the Function App's own, or an operator's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from shared.application.doctor.azure_ports import AzureSide, Foundations, Registrar
from shared.application.doctor.examine import Question
from shared.domain.doctor import azure_checks as checks
from shared.domain.doctor.azure import (
    QUEUE_NAMES,
    TABLE_NAMES,
    group_verdict,
    of_another,
    plans_verdict,
    registration_verdict,
    rights_verdict,
    root_verdict,
    storage_verdicts,
    subscription_verdict,
    targets_of,
    workspace_verdict,
)
from shared.domain.doctor.verdicts import Check, Verdict, failed
from shared.domain.profiles import Profile
from shared.domain.targets import Target
from shared.errors import RollcallError

_REGISTERED = "Registered"
_MISSING = "storage-missing"


class LookAtAzure:
    """One look at Azure's side."""

    def __init__(self, side: AzureSide) -> None:
        """`side` is what is asked."""
        self._side = side

    def questions(self, checked_as: str) -> list[Question]:
        """Everything that is asked; whatever needs the policy says so where it cannot be read."""
        asked: list[tuple[tuple[Check, ...], Callable[[], Iterable[Verdict]]]] = [
            ((checks.FUNCTION_POLICY,), self._policy),
            ((checks.READER_AT_ROOT,), self._root),
            ((checks.SUBSCRIPTIONS,), self._states),
            ((checks.RESOURCE_GROUPS, checks.ROLE_ASSIGNMENTS), self._places),
            ((checks.REGISTRATION, checks.PLANS), self._registrations),
            ((checks.QUEUES,), self._queues),
            ((checks.TABLES,), self._tables),
            ((checks.CONTAINERS,), self._containers),
        ]
        return [Question(checks=told, ask=ask, checked_as=checked_as) for told, ask in asked]

    def _policy(self) -> Iterator[Verdict]:
        """Proved by reading it as whoever asks."""
        try:
            policy = self._side.policy.current()
        except RollcallError as error:
            yield failed(checks.FUNCTION_POLICY, error, command=checks.FUNCTION_POLICY.command)
            return
        yield checks.FUNCTION_POLICY.ok(
            f"it has {policy.content_hash[:12]}", evidence={"policy_hash": policy.content_hash}
        )

    def _root(self) -> Iterator[Verdict]:
        tenant_id, object_id = self._side.policy.current().tenant_id, self._side.object_id()
        yield self._of_identity(root_verdict(tenant_id, object_id, self._side.foundations.root(tenant_id, object_id)))

    def _of_identity(self, verdict: Verdict) -> Verdict:
        return of_another(verdict) if self._side.is_stand_in else verdict

    def _targets(self) -> tuple[tuple[Target, tuple[Profile, ...]], ...]:
        return targets_of(self._side.policy.current())

    def _subscriptions(self) -> dict[str, list[Profile]]:
        """Each subscription of a target, with the profiles of accounts there."""
        found: dict[str, list[Profile]] = {}
        for target, profiles in self._targets():
            found.setdefault(target.subscription_id.lower(), []).extend(profiles)
        return found

    def _states(self) -> Iterator[Verdict]:
        for subscription_id in self._subscriptions():
            try:
                yield subscription_verdict(subscription_id, self._side.foundations.subscription_state(subscription_id))
            except RollcallError as error:
                yield failed(checks.SUBSCRIPTIONS, error, subject=subscription_id)

    def _places(self) -> Iterator[Verdict]:
        policy, object_id = self._side.policy.current(), self._side.object_id()
        for target, _ in self._targets():
            there = self._side.foundations.has_group(target)
            yield group_verdict(target, there=there)
            scope = f"/subscriptions/{target.subscription_id}/resourceGroups/{target.resource_group}"
            if there:
                held = self._side.rights.list_permissions(scope)
                yield self._of_identity(rights_verdict(policy, target, object_id, held))
            else:
                yield checks.ROLE_ASSIGNMENTS.unknown("the resource group is not there", subject=scope)

    def _registrations(self) -> Iterator[Verdict]:
        """Plans are asked for only where the provider is registered: asking would have it registered otherwise."""
        policy = self._side.policy.current()
        for subscription_id, profiles in self._subscriptions().items():
            state = self._side.foundations.registration(subscription_id)
            yield registration_verdict(subscription_id, state)
            if state == _REGISTERED:
                plans = self._side.rights.list_plans(subscription_id)
                yield plans_verdict(policy, subscription_id, profiles, plans)
            else:
                yield checks.PLANS.unknown("the subscription is not registered", subject=subscription_id)

    def _queues(self) -> Iterator[Verdict]:
        yield from storage_verdicts(checks.QUEUES, self._side.storage.account, self._side.storage.queues(QUEUE_NAMES))

    def _tables(self) -> Iterator[Verdict]:
        yield from storage_verdicts(checks.TABLES, self._side.storage.account, self._side.storage.tables(TABLE_NAMES))

    def _containers(self) -> Iterator[Verdict]:
        yield from storage_verdicts(checks.CONTAINERS, self._side.storage.account, self._side.storage.containers())


def workspace_question(foundations: Foundations, workspace: str, checked_as: str) -> Question:
    """About the workspace that a setting names."""

    def ask() -> Iterator[Verdict]:
        if not workspace:
            yield checks.WORKSPACE.ok("no workspace is used: ROLLCALL_WORKSPACE names none")
            return
        found = foundations.find_workspace(workspace)
        yield workspace_verdict(workspace, there=found is not None, solutions=found or ())

    return Question(checks=(checks.WORKSPACE,), ask=ask, checked_as=checked_as)


def azure_menders(
    registrar: Registrar, make_queue: Callable[[str], None]
) -> dict[str, Callable[[Verdict], str | None]]:
    """What `--fix` does on Azure, as the operator."""

    def register(verdict: Verdict) -> str:
        registrar.register(verdict.subject)
        return f"registration of Microsoft.Security in {verdict.subject} is asked for; it takes some minutes"

    def queue(verdict: Verdict) -> str:
        make_queue(verdict.subject)
        return f"queue {verdict.subject} is made"

    return {checks.REGISTRATION.key: register, checks.QUEUES.key: queue}
