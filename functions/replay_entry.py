"""What ƒ `replay_queue` answers to whoever may ask: lists, single messages, and what became of an order."""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Literal, Self

import azure.functions as func
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from functions.operator_gate import caller_of
from shared.adapters.tokens.verifier import TokenVerifier
from shared.application.documents import message_document, results_document, shown_document
from shared.application.named import is_projects_too
from shared.application.replay import Done, browse, discard, run, show
from shared.application.replay_ports import ReplayPorts
from shared.domain.accounts import Provider
from shared.domain.replay import Wanted
from shared.errors import RollcallError, TransientError
from shared.messages.faults import faults_of

logger = logging.getLogger(__name__)

LEAST_ID = 8
MOST_AT_ONCE = 500
"""Messages of one request: Azure's load balancer gives up after 230 s."""


MOST_SECONDS = 200.0
"""How long the messages of one request may take at its pace."""


def _written_out(value: object) -> object:
    """A number would be taken for seconds since 1970, hours ago are what people mean: neither is let in."""
    if not isinstance(value, str) or not _RFC_3339.match(value):
        raise ValueError("a moment is written as 2026-11-25T13:00:00Z")
    return value


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class Selection(BaseModel):
    """Which messages are meant; in a query or in a body. Unknown words are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(default="", pattern=r"^[a-z0-9.:-]{0,100}$")
    provider: Provider | None = None
    reason_class: str = Field(default="", max_length=100)
    older_than: Moment | None = None
    newer_than: Moment | None = None

    def wanted(self, ids: tuple[str, ...] = ()) -> Wanted:
        """The same for the use case."""
        return Wanted(
            message_ids=frozenset(ids),
            account=self.account,
            provider=self.provider,
            reason_class=self.reason_class,
            older_than=self.older_than,
            newer_than=self.newer_than,
        )


class Listing(Selection):
    """The query of a list."""

    limit: int = Field(default=50, ge=1, le=1000)
    page: int = Field(default=1, ge=1)


class Order(Selection):
    """The body of a POST. Nothing is done to all messages unless `all` says so."""

    action: Literal["run", "discard"]
    ids: tuple[str, ...] = ()
    all: bool = False
    reason: str = Field(default="", max_length=1000)
    dry_run: bool = False
    per_second: float = Field(default=10.0, ge=0.1, le=1000)
    limit: int = Field(default=100, ge=1, le=MOST_AT_ONCE)

    @model_validator(mode="after")
    def _says_what_is_meant(self) -> Self:
        if bool(self.ids) is self.all:
            raise ValueError("name the messages in ids, or say all")
        if any(len(each) < LEAST_ID for each in self.ids):
            raise ValueError(f"an id has at least {LEAST_ID} characters")
        if self.limit / self.per_second > MOST_SECONDS:
            raise ValueError(f"limit / per_second is more than {MOST_SECONDS:g} s, which one request may take")
        if self.action == "discard" and not self.reason.strip():
            raise ValueError("a reason is needed to discard")
        return self


def admitted(
    req: func.HttpRequest, verifier: TokenVerifier | None, open_ports: Callable[[str], ReplayPorts]
) -> func.HttpResponse:
    """Answers an operator; refuses anybody else."""
    caller = caller_of(req, verifier)
    if isinstance(caller, func.HttpResponse):
        return caller
    return answer(req, open_ports(caller))


def answer(req: func.HttpRequest, ports: ReplayPorts) -> func.HttpResponse:
    """Answers a caller who may ask."""
    try:
        asked = _asked(req)
    except (ValidationError, ValueError) as error:
        return _json(400, {"error": {"reason": _fault(error), "remedy": "See docs/guides/replay.md."}})
    try:
        if isinstance(asked, Order):
            return _ordered(asked, ports)
        if isinstance(asked, Listing):
            return _json(200, _listed(asked, ports))
        if (shown := show(asked, ports)) is not None:
            return _json(200, shown_document(shown))
        return _json(404, {"error": {"reason": "no one message has that id", "remedy": "List the messages."}})
    except RollcallError as error:
        return _failed(error)


_WHOSE = {
    "reason": "the account's id is the number of a project, too",
    "remedy": "Say which is meant: provider is aws or gcp.",
}


def _asked(req: func.HttpRequest) -> Order | Listing | str:
    """What a request is for: an order, a list, or one message by its id. Raises ValueError."""
    identifier = str(req.route_params.get("identifier") or "")
    if req.method == "POST":
        if identifier:
            raise ValueError("a message is named in the body")
        return Order.model_validate_json(req.get_body())
    if not identifier:
        return Listing.model_validate(dict(req.params))
    if len(identifier) < LEAST_ID:
        raise ValueError(f"an id has at least {LEAST_ID} characters")
    return identifier


def _failed(error: RollcallError, done: dict[str, Any] | None = None) -> func.HttpResponse:
    """Why it could not be done, and what was done before."""
    facts = {"reason": error.reason, "remedy": error.remedy, "error_key": error.key}
    logger.error("replay_failed", extra=facts)
    status = 503 if isinstance(error, TransientError) else 500
    return _json(status, {"error": {"reason": error.reason, "remedy": error.remedy}} | (done or {}))


def _listed(asked: Listing, ports: ReplayPorts) -> dict[str, Any]:
    found = browse(asked.wanted(), ports)
    first = (asked.page - 1) * asked.limit
    return {
        "totals": dict(Counter(each.reason_class for each in found).most_common()),
        "count": len(found),
        "page": asked.page,
        "messages": [message_document(each) for each in found[first : first + asked.limit]],
    }


def _ordered(order: Order, ports: ReplayPorts) -> func.HttpResponse:
    """Carries an order out; what was done is told and logged, even where it ends in the middle."""
    if is_projects_too(order.account, order.provider, ports.ledger):
        return _json(400, {"error": _WHOSE})
    wanted = order.wanted(order.ids)
    work = (
        run(wanted, ports, per_second=order.per_second, dry=order.dry_run)
        if order.action == "run"
        else discard(wanted, ports, reason=order.reason, dry=order.dry_run)
    )
    done: list[Done] = []
    try:
        done.extend(islice(work, order.limit))
    except RollcallError as error:
        return _failed(error, results_document(done, dry=order.dry_run))
    finally:
        work.close()  # gives back what it holds
        facts = {"operation": order.action, "caller": ports.actor, "messages": len(done), "dry_run": order.dry_run}
        logger.info("replay_ordered", extra=facts | {"failed": sum(each.error is not None for each in done)})
    return _json(200, results_document(done, dry=order.dry_run))


def _fault(error: ValueError) -> str:
    return faults_of(error) if isinstance(error, ValidationError) else str(error)


def _json(status: int, document: dict[str, Any]) -> func.HttpResponse:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    body = json.dumps(document, default=_plain)
    return func.HttpResponse(body, status_code=status, mimetype="application/json", headers=headers)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
