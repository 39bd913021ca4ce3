"""Which account an access key belongs to: moto asks every account of the organization, several times at each request.

Here an account is asked once for a key. A key that nobody knows is remembered as such: whoever signs with it is the
administrator, and keys that moto issues later are random.
"""

from __future__ import annotations

from collections.abc import Iterable

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam import models
from moto.iam.models import IAMBackend, iam_backends

from sandbox.aws.active import PARTITION, active
from sandbox.aws.patching import Patch


def account_of(access_key: str) -> str:
    """The account's id; the management account's for a key that was never issued."""
    known = active().accounts_of_keys
    account_id = known.get(access_key)
    if account_id is None or (account_id and access_key not in iam_backends[account_id][PARTITION].access_keys):
        account_id = known[access_key] = _find(access_key)
    return account_id or DEFAULT_ACCOUNT_ID


def _find(access_key: str) -> str:
    for account_id, partitions in list(iam_backends.items()):
        backend: IAMBackend | None = partitions.get(PARTITION)  # the others would be made by looking
        if backend is not None and access_key in backend.access_keys:
            return account_id
    return ""


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(models, "get_account_id_from", account_of)
