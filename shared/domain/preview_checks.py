"""What a plan knows besides an account's own connectors, and what onboarding would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.domain.aftercare import aftercare_digest
from shared.domain.connectors import Connector
from shared.domain.exclusions import Exclusions
from shared.domain.findings import OWNER_MISSING, Finding
from shared.domain.ledger import AccountRecord
from shared.domain.policy import OnMissingOwner, Prechecks
from shared.domain.prechecks import (
    ASSIGN_ROLES,
    Checked,
    Permission,
    SubscriptionFacts,
    check,
    without_owner_features,
)
from shared.domain.profiles import Profile


@dataclass(frozen=True, kw_only=True)
class Known:
    """The account's line in the ledger, the facts about its target, and what is there of the whole tenant.

    `facts` may be the reason why there are none; None means that nobody looked. `has_ledger` says whether the ledger
    was read at all. `may_assign_roles` is what a person says about the identity that onboards; None: nothing. What
    the facts say about permissions is about whoever plans, so it is never used. `parents` are the connectors of the
    account whose Organization connector a member needs, `exclusions` what the plan decides about everybody, and
    `mode_switch` why nothing new is made.
    """

    facts: SubscriptionFacts | Finding | None = None
    record: AccountRecord | None = None
    has_ledger: bool = False
    may_assign_roles: bool | None = None
    parents: Sequence[Connector] = ()
    exclusions: Exclusions = field(default_factory=Exclusions)
    mode_switch: Finding | None = None

    def settles(self, profile: Profile) -> bool:
        """Whether a connector as the profile asks needs no further look; without a ledger it is taken to be known."""
        if not self.has_ledger:
            return True
        known = self.record is not None and self.record.connector_id != "" and not self.record.reason
        return known and not self.aftercare_due(profile, creates=False)

    def aftercare_due(self, profile: Profile, *, creates: bool) -> bool:
        """Whether the ledger says that the profile's standards and governance rules were not seen to."""
        digest = aftercare_digest(profile)
        seen_to = self.record.aftercare if self.record is not None and not creates else ""
        return self.has_ledger and digest not in {"", seen_to}

    def obtainable(self, profile: Profile, rules: Prechecks, subscription_id: str) -> Profile:
        """What onboarding leaves of the profile in a subscription of which nothing else was read."""
        lessened = rules.owner_features is OnMissingOwner.DOWNGRADE and not self._may_assign(subscription_id)
        return without_owner_features(profile) if lessened else profile

    def check(self, profile: Profile, rules: Prechecks, account_id: str, subscription_id: str) -> Checked:
        """What the prechecks come to when the identity that onboards makes them."""
        if self.facts is None:
            return Checked(profile=self.obtainable(profile, rules, subscription_id))
        if isinstance(self.facts, Finding):
            return Checked(profile=profile, refusals=(self.facts,))
        may = self._may_assign(self.facts.subscription_id)
        permissions = (Permission(actions=(ASSIGN_ROLES,)),) if may else ()
        return check(replace(self.facts, permissions=permissions), profile, rules, account_id)

    def assumes_owner(self, subscription_id: str) -> bool:
        """Whether nobody and nothing says that the identity that onboards may assign roles."""
        return self.may_assign_roles is None and not self._lacked_owner(subscription_id)

    def _may_assign(self, subscription_id: str) -> bool:
        """What a person says, else what the ledger last heard; where neither says anything, yes."""
        return not self._lacked_owner(subscription_id) if self.may_assign_roles is None else self.may_assign_roles

    def _lacked_owner(self, subscription_id: str) -> bool:
        """Whether onboarding has found so when it last looked at the account."""
        record = self.record
        if record is None or subscription_id.lower() not in record.reason.lower():
            return False
        return OWNER_MISSING.found("").remedy in record.remedy
