"""Any webhook, signed as Standard Webhooks has it: HMAC-SHA256 over id, time and body.

Source: the Standard Webhooks specification 1.0.0, "Symmetric signatures".
"""

from __future__ import annotations

import base64
import binascii
import hmac

from shared.adapters.notify.post import Receiving
from shared.application.ports import Clock
from shared.domain.notice import Notice
from shared.errors import ConfigurationError
from shared.messages.roll_notice import notice_id, notice_json

_PREFIX = "whsec_"
_SHORTEST_KEY, _LONGEST_KEY = 24, 64
"""Bytes, as the specification asks for."""


class Webhook:
    """A receiver of `roll-notice/1`."""

    def __init__(self, address: str, key: str, *, setting: str, key_setting: str, clock: Clock) -> None:
        """`key` is the shared one, Base64, with or without the prefix `whsec_`; the settings are named in errors."""
        self._receiving = Receiving(address, setting=setting)
        self._key = key
        self._key_setting = key_setting
        self._clock = clock

    def tell(self, notice: Notice) -> None:
        """Sends it with its signature. Raises TransientError, PermanentError, ConfigurationError."""
        body, name = notice_json(notice), notice_id(notice)
        at = str(int(self._clock.now().timestamp()))
        signature = hmac.digest(self._secret(), f"{name}.{at}.".encode() + body, "sha256")
        self._receiving.post(
            body,
            {
                "webhook-id": name,
                "webhook-timestamp": at,
                "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
            },
        )

    def _secret(self) -> bytes:
        """The key's bytes. Raises ConfigurationError where it is none that may be used."""
        try:
            secret = base64.b64decode(self._key.strip().removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        if not _SHORTEST_KEY <= len(secret) <= _LONGEST_KEY:
            raise ConfigurationError(
                "the webhook's key is not Base64 of 24 to 64 bytes",
                setting=self._key_setting,
                remedy=f"Put one (`openssl rand -base64 32`) into the secret that {self._key_setting} names, see that "
                "the reference is resolved, then restart the app.",
            )
        return secret
