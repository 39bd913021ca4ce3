"""Use case of `rollcall plan`: what a policy would change about every connector of one cloud; it writes nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.application.ports import AccountListing, Ledger, PolicySource, Subscriptions, TenantSnapshot
from shared.application.provider_policy import policy_for
from shared.application.selection import Selection, with_tags
from shared.domain.accounts import Account, Provider
from shared.domain.connectors import ENVIRONMENT_OF, Connector
from shared.domain.exclusions import exclusions_of
from shared.domain.findings import Finding
from shared.domain.ledger import AccountRecord
from shared.domain.modes import mode_switch, of_other_modes
from shared.domain.placement import is_ours
from shared.domain.policy import Mode, Policy, Verdict, decide
from shared.domain.prechecks import SubscriptionFacts
from shared.domain.preview import Action, PlannedAccount, checked_at, plan_account, plan_departed
from shared.domain.preview_checks import Known
from shared.domain.preview_notes import Note
from shared.domain.standing import parent_account
from shared.domain.targets import Target
from shared.errors import ConfigurationError, PermanentError

FACTS_AGE_SECONDS = 300.0


class OwnOrganization(Protocol):
    """The organization that the listing is of."""

    def organization_id(self) -> str:
        """Its id. Raises TransientError, PermanentError, ConfigurationError."""


@dataclass(frozen=True, kw_only=True)
class PlanPorts:
    """What the use case works with; it only reads. Without `ledger`, nothing is said about standards and rules.

    Without `own` the policy is taken to be of the organization that is listed.

    `listing` is of the cloud `provider`: of AWS's accounts, or of GCP's projects.
    """

    listing: AccountListing
    snapshot: TenantSnapshot
    subscriptions: Subscriptions
    policy: PolicySource
    ledger: Ledger | None = None
    provider: Provider = Provider.AWS
    own: OwnOrganization | None = None


@dataclass(frozen=True, kw_only=True)
class PreviewWarning:
    """A note and all accounts that it is about."""

    note: Note
    account_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What would be done, by hierarchy identifier."""

    policy_hash: str
    accounts: tuple[PlannedAccount, ...] = field(default_factory=tuple)
    provider: Provider = Provider.AWS

    @property
    def totals(self) -> dict[Action, int]:
        """Accounts by action, every action named."""
        counted = Counter(account.action for account in self.accounts)
        return {action: counted[action] for action in Action}

    @property
    def warnings(self) -> tuple[PreviewWarning, ...]:
        """Every note once, by its key."""
        about: dict[Note, list[str]] = defaultdict(list)
        for account in self.accounts:
            for note in account.notes:
                about[note].append(account.hierarchy_identifier)
        return tuple(
            PreviewWarning(note=note, account_ids=tuple(about[note]))
            for note in sorted(about, key=lambda note: (note.key, note.message))
        )


def _refuse_another(policy: Policy, there: str) -> None:
    """Every connector would look like somebody else's: the tag of ours is the organization's id."""
    if there != policy.organization:
        raise ConfigurationError(
            f"the policy is of organization {policy.organization}, and this shell's AWS credentials of {there}",
            setting="organization",
            remedy="Write your organization's id into the policy, or sign in to the one that it is for.",
        )


def plan(selection: Selection, ports: PlanPorts, *, may_assign_roles: bool | None = None) -> Preview:
    """Plans every account that is asked for, from one complete listing of the organization and of the tenant.

    `may_assign_roles` says whether the identity that onboards may, which only that identity can see; None means: as
    the ledger last heard, and otherwise yes.

    Raises TransientError, PermanentError, ConfigurationError: then nothing is planned at all, since half a listing
    would take accounts for departed.
    """
    policy = policy_for(ports.policy.current(), ports.provider)
    if ports.own is not None:
        _refuse_another(policy, ports.own.organization_id())
    accounts = ports.listing.list_accounts()
    everything = ports.snapshot.list_all()
    connectors = _by_account(everything, ports.provider)
    selected = [with_tags(account, policy, ports.listing) for account in accounts if selection.holds(account)]
    places = {
        account.account_id: checked_at(policy, account, connectors.get(account.account_id, ())) for account in selected
    }
    facts = _inspect({place for place in places.values() if place}, ports.subscriptions)
    records = _records(ports.ledger, ports.provider) if any(places.values()) else {}
    decided = [(account, decide(policy, account)) for account in selected]
    exclusions, switch = exclusions_of(policy, decided), mode_switch_among(policy, (*accounts, *selected), everything)

    def known(account_id: str) -> Known:
        return Known(
            facts=facts.get(place) if (place := places[account_id]) else None,
            record=records.get(account_id),
            has_ledger=ports.ledger is not None,
            may_assign_roles=may_assign_roles,
            parents=connectors.get(parent_account(policy, account_id), ()),
            exclusions=exclusions,
            mode_switch=switch,
        )

    planned = [
        plan_account(policy, account, connectors.get(account.account_id, ()), known(account.account_id))
        for account in selected
    ]
    planned += _departed(policy, selection, {account.account_id for account in accounts}, connectors)
    return Preview(
        policy_hash=policy.content_hash,
        accounts=tuple(sorted(planned, key=lambda account: account.hierarchy_identifier)),
        provider=ports.provider,
    )


def mode_switch_among(policy: Policy, accounts: Iterable[Account], connectors: Iterable[Connector]) -> Finding | None:
    """Why nothing new would be made: in modes `member` and `native`, connectors of included accounts only count."""
    verdicts = {each.account_id: decide(policy, each).verdict for each in accounts}  # the later ones have tags
    included = {account_id for account_id, verdict in verdicts.items() if verdict is Verdict.INCLUDE}
    others = of_other_modes(policy, connectors)
    standalone = policy.mode is Mode.STANDALONE
    return mode_switch(policy, [each for each in others if standalone or each.hierarchy_identifier in included])


def _inspect(targets: set[Target], subscriptions: Subscriptions) -> dict[Target, SubscriptionFacts | Finding]:
    """The facts of each target, or why its accounts would be parked."""
    found: dict[Target, SubscriptionFacts | Finding] = {}
    for target in targets:
        try:
            found[target] = subscriptions.inspect(target, max_age_seconds=FACTS_AGE_SECONDS)
        except PermanentError as error:
            found[target] = Finding(key=error.key, reason=error.reason, remedy=error.remedy)
    return found


def _records(ledger: Ledger | None, provider: Provider) -> dict[str, AccountRecord]:
    records = ledger.list_records() if ledger is not None else ()
    return {record.key.hierarchy_identifier: record for record in records if record.key.provider is provider}


def _by_account(connectors: Iterable[Connector], provider: Provider) -> dict[str, list[Connector]]:
    found: dict[str, list[Connector]] = defaultdict(list)
    for connector in connectors:
        if connector.environment == ENVIRONMENT_OF[provider]:  # a GCP project number may have twelve digits too
            found[connector.hierarchy_identifier].append(connector)
    return found


def _departed(
    policy: Policy, selection: Selection, listed: set[str], connectors: dict[str, list[Connector]]
) -> Iterator[PlannedAccount]:
    for account_id, found in connectors.items():
        if account_id not in listed and selection.holds_departed(account_id):
            yield from (plan_departed(policy, each) for each in _ours(found, policy))


def _ours(connectors: Sequence[Connector], policy: Policy) -> Iterator[Connector]:
    return (each for each in connectors if is_ours(each, policy))
