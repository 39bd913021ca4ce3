"""The organization and the StackSet as the hub role sees them; its sessions last an hour, a process may last longer."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from shared.adapters.aws.account_listing import AwsAccountListing
from shared.adapters.aws.hub import Hub
from shared.adapters.aws.stack_sets import CloudFormationStackSets
from shared.application.ports import Clock
from shared.domain.accounts import Account
from shared.domain.stack_sets import InstanceState


class HubAccountListing:
    """Accounts and their tags."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        """Asks as the hub role."""
        self._hub = hub
        self._clock = clock
        self._kept: tuple[object, AwsAccountListing] | None = None
        self._keeping = threading.Lock()

    def list_accounts(self) -> tuple[Account, ...]:
        """Every account once, without its tags."""
        return self._listing().list_accounts()

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """One account's tags."""
        return self._listing().tags_of(account_id)

    def _listing(self) -> AwsAccountListing:
        """One for all threads, since it is what paces the reading of tags."""
        client = self._hub.client("organizations")
        with self._keeping:
            if self._kept is None or self._kept[0] is not client:
                self._kept = client, AwsAccountListing(client, self._clock)
            return self._kept[1]


class HubStackStates:
    """The instances of one StackSet."""

    def __init__(self, hub: Hub, *, name: str, region: str) -> None:
        """`name` is the StackSet's; `region` the one that its instances are made in."""
        self._hub = hub
        self._name = name
        self._region = region

    def list_states(self) -> Mapping[str, InstanceState]:
        """Account id → state of its instance."""
        clients = self._hub.client("cloudformation"), self._hub.client("organizations")
        return CloudFormationStackSets(*clients, name=self._name, region=self._region).list_states()
