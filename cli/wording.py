"""How a state, a moment and an age are written."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from shared.domain.ledger import State

STATE_STYLES = {
    State.CONNECTED: "green",
    State.EXCLUDED: "dim",
    State.DEPARTED: "dim",
    State.DEPLOY_FAILED: "red",
    State.PARKED: "red",
    State.DEFERRED: "yellow",
}


def state_text(state: State) -> Text:
    """A state in its colour."""
    return Text(str(state), style=STATE_STYLES.get(state, "cyan"))


def moment(at: datetime | None) -> str:
    """A time as people read it, to the second."""
    return at.strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the two largest units."""
    if since is None:
        return "-"
    seconds = max(int((now - since).total_seconds()), 0)
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {seconds % 60}s"
