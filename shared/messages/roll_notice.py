"""`roll-notice/1`: what a webhook gets after a sweep. `notice_id` is the same at each try, so that it counts once.

Names are as they are in the clouds; who shows them escapes them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.domain.notice import Cause, Notice
from shared.domain.sweep.findings import Severity

SCHEMA: Literal["roll-notice/1"] = "roll-notice/1"


class RollNotice(BaseModel):
    """What came and what went, by cause, the gravest first. `since` is the sweep that was told last."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True, populate_by_name=True)

    schema_id: Literal["roll-notice/1"] = Field(default=SCHEMA, alias="schema")
    notice_id: str
    run: str
    since: str
    ended_at: AwareDatetime
    complete: bool
    new: int
    resolved: int
    open: dict[Severity, int]
    causes: tuple[Cause, ...]
    command: str


def notice_id(notice: Notice) -> str:
    """The notice's name: of the sweep that is told, and of the one before it that was."""
    return f"{notice.run}.{notice.since or 'first'}"


def notice_json(notice: Notice) -> bytes:
    """The notice's JSON body, of ASCII letters."""
    body = RollNotice(
        notice_id=notice_id(notice),
        run=notice.run,
        since=notice.since,
        ended_at=notice.ended_at,
        complete=notice.complete,
        new=notice.new,
        resolved=notice.resolved,
        open=dict(notice.open),
        causes=notice.causes,
        command=notice.command,
    )
    return body.model_dump_json(by_alias=True, ensure_ascii=True).encode()
