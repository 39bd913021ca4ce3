"""ƒ replay_queue: messages that were given up, over HTTP, as `rollcall replay` does it.

`GET /api/replay` lists, `GET /api/replay/{id}` shows; both change nothing. `POST /api/replay` sends back or discards.
The host asks nobody for a key and no platform stands in front: every caller is verified here.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from datetime import datetime
from itertools import islice
from typing import Any, Literal, Self

import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from functions import bootstrap
from functions.operator_gate import caller_of
from shared.application.documents import message_document, results_document, shown_document
from shared.application.replay import Done, browse, discard, run, show
from shared.application.replay_ports import ReplayPorts
from shared.domain.accounts import Provider
from shared.domain.replay import Wanted
from shared.errors import ConfigurationError, TransientError

logger = logging.getLogger(__name__)
blueprint = func.Blueprint()  # type: ignore[no-untyped-call] # the package leaves it untyped

LEAST_ID = 8
MOST_AT_ONCE = 500
"""Messages of one request: Azure's load balancer gives up after 230 s."""


class Selection(BaseModel):
    """Which messages are meant; in a query or in a body. Unknown words are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(default="", pattern=r"^([0-9]{1,20})?$")
    provider: Provider | None = None
    reason_class: str = Field(default="", max_length=100)
    older_than: datetime | None = None
    newer_than: datetime | None = None

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
    per_second: float = Field(default=10.0, gt=0, le=1000)
    limit: int = Field(default=100, ge=1, le=MOST_AT_ONCE)

    @model_validator(mode="after")
    def _says_what_is_meant(self) -> Self:
        if bool(self.ids) is self.all:
            raise ValueError("name the messages in ids, or say all")
        if any(len(each) < LEAST_ID for each in self.ids):
            raise ValueError(f"an id has at least {LEAST_ID} characters")
        if self.action == "discard" and not self.reason.strip():
            raise ValueError("a reason is needed to discard")
        return self


@blueprint.function_name("replay_queue")
@blueprint.route(route="replay/{identifier?}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
def replay_queue(req: func.HttpRequest) -> func.HttpResponse:
    """Answers one request of an operator."""
    caller = caller_of(req, bootstrap.operator_verifier())
    if isinstance(caller, func.HttpResponse):
        return caller
    return answer(req, bootstrap.replay_ports(caller))


def answer(req: func.HttpRequest, ports: ReplayPorts) -> func.HttpResponse:
    """Answers a caller who may ask."""
    try:
        return _json(200, _answered(req, ports))
    except _NotFoundError:
        return _json(404, {"error": {"reason": "no one message has that id", "remedy": "List the messages."}})
    except (ValidationError, ValueError) as error:
        return _json(400, {"error": {"reason": _fault(error), "remedy": "See docs/guides/replay.md."}})
    except (TransientError, ConfigurationError) as error:
        facts = {"reason": error.reason, "remedy": error.remedy, "error_key": error.key}
        logger.error("replay_failed", extra=facts)  # noqa: TRY400 - one line
        status = 503 if isinstance(error, TransientError) else 500
        return _json(status, {"error": {"reason": error.reason, "remedy": error.remedy}})


class _NotFoundError(Exception):
    pass


def _answered(req: func.HttpRequest, ports: ReplayPorts) -> dict[str, Any]:
    identifier = str(req.route_params.get("identifier") or "")
    if req.method == "POST":
        if identifier:
            raise ValueError("a message is named in the body")
        return _ordered(Order.model_validate_json(req.get_body()), ports)
    if not identifier:
        return _listed(Listing.model_validate(dict(req.params)), ports)
    if len(identifier) < LEAST_ID:
        raise ValueError(f"an id has at least {LEAST_ID} characters")
    shown = show(identifier, ports)
    if shown is None:
        raise _NotFoundError
    return shown_document(shown)


def _listed(asked: Listing, ports: ReplayPorts) -> dict[str, Any]:
    found = browse(asked.wanted(), ports)
    first = (asked.page - 1) * asked.limit
    return {
        "totals": dict(Counter(each.reason_class for each in found).most_common()),
        "count": len(found),
        "page": asked.page,
        "messages": [message_document(each) for each in found[first : first + asked.limit]],
    }


def _ordered(order: Order, ports: ReplayPorts) -> dict[str, Any]:
    wanted = order.wanted(order.ids)
    if order.dry_run:
        found = [Done(message=each) for each in browse(wanted, ports)][: order.limit]
        return results_document(found, dry=True)
    work = (
        run(wanted, ports, per_second=order.per_second)
        if order.action == "run"
        else discard(wanted, ports, reason=order.reason)
    )
    done = list(islice(work, order.limit))
    work.close()  # gives back what it holds
    facts = {"operation": order.action, "caller": ports.actor, "messages": len(done)}
    logger.info("replay_ordered", extra=facts | {"failed": sum(each.error is not None for each in done)})
    return results_document(done, dry=False)


def _fault(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        told = (": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"]))) for each in error.errors())
        return "; ".join(told)[:1000]
    return str(error)


def _json(status: int, document: dict[str, Any]) -> func.HttpResponse:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    body = json.dumps(document, default=_plain)
    return func.HttpResponse(body, status_code=status, mimetype="application/json", headers=headers)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
