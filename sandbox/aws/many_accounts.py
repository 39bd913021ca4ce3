"""An account's part of moto without going through all other accounts first, which moto does each time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.core.base_backend import AccountSpecificBackend, BackendDict

from sandbox.aws.patching import Patch

_moto_getitem = BackendDict.__getitem__


def _getitem(self: BackendDict[Any], account_id: str) -> AccountSpecificBackend[Any]:
    found: AccountSpecificBackend[Any] | None = dict.get(self, account_id)
    return found if found is not None else _moto_getitem(self, account_id)


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(BackendDict, "__getitem__", _getitem)
