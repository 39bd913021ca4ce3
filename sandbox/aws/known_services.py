"""Which services moto knows: it lists its own folder at every request, hundreds of files each time; here once."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from moto import backends

from sandbox.aws.patching import Patch

_moto_list = backends.list_of_moto_modules


@cache
def _known_services() -> frozenset[str]:
    return frozenset(_moto_list())


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(backends, "list_of_moto_modules", _known_services)
