"""The processor time of one piece of work, whatever else the process does and holds."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


class OwnTime:
    """`seconds` is there once the work is done."""

    seconds: float = 0.0


@contextmanager
def own_time() -> Iterator[OwnTime]:
    """Measures this thread alone, without garbage collection: that looks at all that earlier tests left."""
    took, collects = OwnTime(), gc.isenabled()
    gc.disable()
    began = time.thread_time()
    try:
        yield took
    finally:
        took.seconds = time.thread_time() - began
        if collects:
            gc.enable()
