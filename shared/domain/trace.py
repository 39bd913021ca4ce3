"""The W3C trace context of a correlation id: an account's way through both clouds is one trace.

Nothing but the account's id goes from its first event to its StackSet instance's, so the trace is made of that: whoever
knows the account knows the trace. Source: W3C Trace Context, level 1.
"""

from __future__ import annotations

import hashlib
import re

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


def traceparent_for(correlation_id: str) -> str:
    """The `traceparent` that every message of one correlation id carries, sampled."""
    digest = hashlib.sha256(correlation_id.encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"


def trace_id_of(traceparent: str) -> str:
    """Its 32 hexadecimal digits; empty where it is no trace context."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1] if found else ""


def trace_id_for(correlation_id: str) -> str:
    """The trace of one correlation id."""
    return trace_id_of(traceparent_for(correlation_id))
