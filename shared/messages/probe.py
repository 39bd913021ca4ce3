"""`probe/1`: a message that asks nothing, by which a sender finds out whether the queue takes it.

`rollcall doctor` has the Lambda functions send it; whoever takes it off the queue forgets it.
"""

from __future__ import annotations

import json

SCHEMA = "probe/1"
LIFETIME_SECONDS = 60
"""Nobody who is away for longer ever sees it."""
_MOST_BYTES = 200


def probe_json(sender: str) -> str:
    """A probe; `sender` is a name of ours."""
    return json.dumps({"schema": SCHEMA, "sender": sender})


def is_probe(body: bytes) -> bool:
    """Whether a message is one."""
    if len(body) > _MOST_BYTES:
        return False
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("schema") == SCHEMA
