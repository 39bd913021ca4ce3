"""Receivers of notices, as the policy names them: their addresses are in settings that the platform fetches.

Nothing is checked before a notice is sent: a wrong one is a finding, and keeps the Function App from nothing else.
"""

from __future__ import annotations

import os

from functions import telemetry
from shared.adapters.clock import SystemClock
from shared.adapters.notify.post import keep_addresses_out_of_the_log
from shared.adapters.notify.teams import TeamsChannel
from shared.adapters.notify.webhook import Webhook
from shared.application.notify import Notifier
from shared.domain.notice import Notice
from shared.domain.policy import Notification, ReceiverKind


class Unseen:
    """A receiver that is called without a span."""

    def __init__(self, notifier: Notifier) -> None:
        """`notifier` is the receiver itself."""
        self._notifier = notifier

    def tell(self, notice: Notice) -> None:
        """Sends it. Raises TransientError, PermanentError, ConfigurationError."""
        with telemetry.unseen():
            self._notifier.tell(notice)


class SettingReceivers:
    """Receivers whose addresses are in settings by the names that the policy gives."""

    def find(self, receiver: Notification) -> Notifier:
        """The receiver that the policy means, with what its settings say now."""
        keep_addresses_out_of_the_log()
        address = os.environ.get(receiver.setting, "")
        if receiver.kind is ReceiverKind.TEAMS:
            return Unseen(TeamsChannel(address, setting=receiver.setting))
        return Unseen(
            Webhook(
                address,
                os.environ.get(receiver.key_setting, ""),
                setting=receiver.setting,
                key_setting=receiver.key_setting,
                clock=SystemClock(),
            )
        )
