"""What comes over HTTP: pushes of Pub/Sub, and what operators ask ƒ replay_queue, ƒ report and ƒ doctor."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import azure.functions as func

from functions import doctor_entry, report_entry
from functions.operator_gate import caller_of
from functions.push_entry import answer
from functions.push_gate import refusal_of
from functions.replay_entry import answer as answer_replay
from shared.adapters.policy.problems import parse_policy
from shared.application.doctor.examine import Question
from shared.domain.doctor.azure_checks import PLANS
from shared.domain.policy import Policy
from shared.messages.parked_request import ParkedRequest
from tests.fakes.gcp_intake import GcpSide, Pushers, push, wrapped
from tests.fakes.sweep import SweepWorld
from tests.fixtures.read import fixture
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch, WrongError, told_too_much
from tests.unit.test_replay import World
from tests.unit.test_report import ports as report_ports

ENTRIES = Path(__file__).parents[1] / "fixtures" / "gcp" / "events"
ORDERS: Mapping[str, object] = {
    "replay.run": {"action": "run", "ids": ["message-3", "message-4"], "dry_run": True},
    "replay.all": {"action": "run", "all": True, "limit": 3, "per_second": 100.0, "older_than": "2026-11-20T12:00:00Z"},
    "replay.discard": {"action": "discard", "ids": ["message-3"], "reason": "seen", "provider": "aws"},
}
QUERIES: Mapping[str, object] = {
    "query.list": {"limit": "3", "page": "2", "reason_class": "scope-locked", "older_than": "1h", "provider": "aws"},
    "query.show": {"identifier": "message-3"},
    "query.report": {"format": "json"},
    "query.doctor": {"only": "plans,storage-queues"},
}


class HttpRequests:
    """Surface: bodies, queries and headers."""

    name = "http-requests"

    @cached_property
    def bases(self) -> Sequence[Base]:
        """Every entry of the audit log, whole pushes, orders and queries."""
        entries = {f"entry.{path.stem}": path.read_bytes() for path in sorted(ENTRIES.glob("*.json"))}
        whole = {f"push.{name}": wrapped(entries[f"entry.{name}"]) for name in ("create.v1", "create.v3", "move.v3")}
        asked = {name: json.dumps(body).encode() for name, body in {**ORDERS, **QUERIES}.items()}
        return [Base(name, content, content) for name, content in {**entries, **whole, **asked}.items()]

    @cached_property
    def _policy(self) -> Policy:
        return parse_policy(fixture("policies/full.yaml").encode(), "full.yaml")

    def take(self, case: Case, watch: Watch) -> str:
        """The request at the function that it is for."""
        kind = case.base.partition(".")[0]
        if kind == "entry":
            return self._pushed(wrapped(case.content), case.choice)
        if kind == "push":
            return self._pushed(case.content, case.choice)
        return self._ordered(case.content) if kind == "replay" else self._queried(case)

    def _pushed(self, body: bytes, choice: int) -> str:
        side = GcpSide(self._policy)
        if choice % 4 == 3:
            side.projects.projects.clear()
        found = answer(body, lambda: side.ports)
        if found.get_body() or found.status_code not in {204, 500, 503}:
            raise WrongError("a push is answered with words, or by another status")
        for text in side.queue.parked_texts:
            parked = ParkedRequest.from_json(text)
            if not parked.fits or not parked.reason or not parked.remedy:
                raise WrongError("what is parked has no reason or does not fit")
            if told := told_too_much(parked.reason):
                raise WrongError(f"the reason of what is parked tells {told}")
        if found.status_code == 500:
            raise WrongError("a push alone makes the deployment wrong")
        became = "parked" if side.queue.parked_texts else f"{len(side.queue.sent)} sent"
        return f"push {found.status_code} {became}"

    def _ordered(self, body: bytes) -> str:
        world = World(self._policy)
        asked = func.HttpRequest("POST", "https://app.example/api/replay", body=body)
        found = answer_replay(asked, world.ports)
        left = len(world.queue.messages) + len(world.queue.put_bodies)
        if found.status_code == 400 and left != 11:
            raise WrongError("an order that was refused was carried out")
        return f"replay {_answered(found)}"

    def _queried(self, case: Case) -> str:
        query = _query(case.content)
        kind = case.base.partition(".")[2]
        if case.choice % 8 == 7:
            return self._strangers(case, query)
        identifier = query.pop("identifier", "") if kind in {"show", "list"} else ""
        asked = func.HttpRequest(
            "GET", "https://app.example/api/x", params=query, route_params={"identifier": identifier}, body=b""
        )
        if kind in {"show", "list"}:
            return f"{kind} {_answered(answer_replay(asked, World(self._policy).ports))}"
        if kind == "report":
            return f"report {_answered(report_entry.answer(asked, report_ports(SweepWorld(self._policy)), 'id'))}"
        question = Question(checks=(PLANS,), ask=lambda: [PLANS.ok("on")], checked_as="me")
        return f"doctor {_answered(doctor_entry.answer(asked, [question], 'id'))}"

    def _strangers(self, case: Case, query: Mapping[str, str]) -> str:
        """Without a token that is right nobody is let in, whatever the headers and the address are."""
        header = case.content.decode("latin-1")[:20_000]
        url = f"https://app.example/api/{header[:200]}"
        knows = SimpleNamespace(caller=Pushers().verifier.caller)
        asked = func.HttpRequest("GET", url, params=query, headers={"authorization": header}, body=b"")
        for found in (caller_of(asked, knows), refusal_of(asked, knows)):  # type: ignore[arg-type] # has what is asked
            if not isinstance(found, func.HttpResponse) or found.status_code != 401 or found.get_body():
                raise WrongError("a stranger was let in, or told why not")
        refusal = refusal_of(push(authorization=header), Pushers().verifier)
        return f"stranger {refusal.status_code if refusal else 'in'}"


def _query(content: bytes) -> dict[str, str]:
    """Query parameters out of a document: what an operator may write behind `?`."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {"limit": content.decode("latin-1")[:8000]}
    pairs = found.items() if isinstance(found, dict) else [("limit", found)]
    return {str(key)[:200]: (each if isinstance(each, str) else json.dumps(each))[:8000] for key, each in pairs}


def _answered(found: func.HttpResponse) -> str:
    body = found.get_body()
    if found.status_code not in {200, 400, 404, 503}:
        raise WrongError(f"an operator is answered {found.status_code}")
    if found.status_code != 200:
        error = json.loads(body)["error"]
        if not error["reason"] or not error["remedy"]:
            raise WrongError("a refusal without reason or remedy")
        if len(body) > 10_000:
            raise WrongError("a refusal without end")
    base64.b64encode(body)  # bytes, whatever is in it
    return str(found.status_code)
