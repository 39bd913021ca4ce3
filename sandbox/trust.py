"""Which authorities the SDKs of this process believe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VARIABLE = "REQUESTS_CA_BUNDLE"


@contextmanager
def trusting(bundle: Path) -> Iterator[None]:
    """Lets the SDKs of this process speak with our own https endpoints, until the end of the block."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = str(bundle)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before
