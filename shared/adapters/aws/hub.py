"""From Azure into AWS: the managed identity becomes the hub role of the management account, and from there the reader.

No key is stored: Entra's token is exchanged for an hour of the hub role, which may only read and take the reader role
of member accounts. Source: STS API 2011-06-15, AssumeRoleWithWebIdentity (an unsigned request) and AssumeRole.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from shared.adapters.aws.errors import translated
from shared.application.ports import Clock
from shared.domain.roles import role_arn_of

if TYPE_CHECKING:
    from mypy_boto3_sts.client import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef

_SESSION = "rollcall-sweep"
_EARLY = timedelta(minutes=5)
_LIMITS: dict[str, Any] = {
    "retries": {"mode": "standard", "max_attempts": 3},
    "connect_timeout": 5,
    "read_timeout": 20,
}
_MOST_KEPT = 500


@dataclass(frozen=True, kw_only=True)
class _Session:
    keys: dict[str, str] = field(repr=False)
    until: datetime


class Hub:
    """Clients of the management account and, through the reader role, of member accounts; sessions are kept."""

    def __init__(
        self, web_token: Callable[[], str], *, hub_role_arn: str, reader_role: str, region: str, clock: Clock
    ) -> None:
        """`web_token` gives a fresh token of our identity, for the hub's audience; it raises our errors only."""
        self._web_token = web_token
        self._hub_role_arn = hub_role_arn
        self._reader_role = reader_role
        self._region = region
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()
        self._own: dict[tuple[str, str], tuple[dict[str, str], Any]] = {}
        self._entering = threading.Lock()
        self._boto = boto3.Session()
        self._making = threading.Lock()  # a session may make one client at a time

    def client(self, service: Any, *, account_id: str = "", region: str = "") -> Any:
        """A client of that service, in the management account or as the reader in a member account.

        Raises TransientError, PermanentError, ConfigurationError.
        """
        region = region or self._region
        if account_id:
            return self._made(service, region, Config(**_LIMITS), **self._keys_of(account_id))
        keys = self._hub_keys()
        known, client = self._own.get((service, region), (None, None))
        if known is not keys:  # making a client costs more than a request: one does for as long as the session
            client = self._made(service, region, Config(**_LIMITS), **keys)
            self._own[service, region] = keys, client
        return client

    def _made(self, service: Any, region: str, config: Config, **keys: str) -> Any:
        with self._making:
            return self._boto.client(service, region_name=region, config=config, **keys)  # type: ignore[call-overload]  # by name

    def _hub_keys(self) -> dict[str, str]:
        with self._entering:  # slices begin together, and one session does for all
            return self._kept("", self._enter_hub)

    def _keys_of(self, account_id: str) -> dict[str, str]:
        return self._kept(account_id, lambda: self._enter(account_id))

    def _kept(self, account_id: str, enter: Callable[[], CredentialsTypeDef]) -> dict[str, str]:
        now = self._clock.now()
        with self._lock:
            found = self._sessions.get(account_id)
        if found is not None and now < found.until:
            return found.keys
        given = enter()
        session = _Session(
            keys={
                "aws_access_key_id": given["AccessKeyId"],
                "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"],
            },
            until=given["Expiration"] - _EARLY,
        )
        with self._lock:
            while len(self._sessions) >= _MOST_KEPT:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[account_id] = session
        return session.keys

    def _enter_hub(self) -> CredentialsTypeDef:
        token = self._web_token()
        sts: STSClient = self._made("sts", self._region, Config(signature_version=UNSIGNED, **_LIMITS))
        with translated(f"become {self._hub_role_arn}"):
            return sts.assume_role_with_web_identity(
                RoleArn=self._hub_role_arn, RoleSessionName=_SESSION, WebIdentityToken=token
            )["Credentials"]

    def _enter(self, account_id: str) -> CredentialsTypeDef:
        sts: STSClient = self.client("sts")
        arn = role_arn_of(account_id, self._reader_role)
        with translated(f"look into account {account_id} as {self._reader_role}"):
            return sts.assume_role(RoleArn=arn, RoleSessionName=_SESSION)["Credentials"]
