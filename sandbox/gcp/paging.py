"""Pages of a listing, with tokens that only their maker reads."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.gcp.answers import refusal


def page_of(items: Sequence[Any], key: str, query: Mapping[str, str], *, most: int, size: str = "pageSize") -> Any:
    """One page; a server may give fewer than it is asked for, at most `most`. An empty listing has no key at all.

    Raises:
        RefusalError: 400, for a token that is none of ours.
    """
    try:
        wanted = int(query.get(size) or most)
        start = int(base64.urlsafe_b64decode(query["pageToken"])) if query.get("pageToken") else 0
    except ValueError as error:
        raise refusal(400, "Request contains an invalid argument.") from error
    end = start + min(wanted or most, most)
    page: dict[str, Any] = {key: list(items[start:end])} if items[start:end] else {}
    if end < len(items):
        page["nextPageToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return page
