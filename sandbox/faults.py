"""Planted faults and holds: what goes wrong with a request, and where a request is stopped for a kill test.

Every simulated service asks here once it knows operation and caller, just before the request takes effect,
and again before it answers. A request that the service refuses anyway never comes here.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sandbox.serving import ConnectionDroppedError

LONGEST_HOLD_SECONDS = 120.0
SERVICES = (
    *("cloudformation", "ec2", "events", "iam", "lambda", "lambda-runtime", "monitoring", "oidc-issuer"),
    *("organizations", "s3", "sqs", "sts"),
    *("arm", "blob", "entra", "functions", "managed-identity", "monitor", "queue"),
    *("receivers", "table"),
    "gcp",
)
"""Every simulated service, as the journal names it."""


class FaultKind(StrEnum):
    """What goes wrong. The last four let the request take effect first."""

    THROTTLE = "throttle"
    ERROR = "error"
    TIMEOUT = "timeout"
    RESET = "reset"
    LATENCY = "latency"
    REPLY_LOST = "reply_lost"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    EMPTY_BODY = "empty_body"


class _Selection(BaseModel):
    """Which requests are meant; every field is a pattern with `*`, `?` and `[…]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = Field(description="as the journal names it: cloudformation, sqs, entra, arm, queue, …")
    operation: str = Field(default="*", description="the operation without the service: PutSecurityConnector")
    identity: str = Field(default="*", description="who calls, as the journal names it")
    resource: str = Field(default="*", description="the queue, table or container; empty for other services")
    client: str = Field(default="*", description="the User-Agent: `*functions-1*`, `*rollcall-stack-events*`")
    path: str = Field(default="*", description="path and query as sent; a table's row is named in it")

    @field_validator("service")
    @classmethod
    def _known(cls, service: str) -> str:
        if not any(fnmatchcase(each, service) for each in SERVICES):
            message = f"no service {service}; known are {', '.join(SERVICES)}"
            raise ValueError(message)
        return service

    def selects(self, facts: RequestFacts) -> bool:
        """Whether a request is meant."""
        return (
            fnmatchcase(facts.service, self.service)
            and fnmatchcase(facts.operation, self.operation)
            and fnmatchcase(facts.identity, self.identity)
            and fnmatchcase(facts.resource, self.resource)
            and fnmatchcase(facts.client, self.client)
            and fnmatchcase(facts.path, self.path)
        )


class Fault(_Selection):
    """One planted fault: it strikes the next `count` requests, or each with probability `rate`."""

    kind: FaultKind
    count: int | None = Field(default=None, ge=1, description="1 where no rate is given")
    rate: float | None = Field(default=None, gt=0, le=1)
    seed: int = 0
    seconds: float = Field(
        default=1.0, ge=0, le=300, description="of latency, or until a time-out drops the connection"
    )
    retry_after: int | None = Field(default=None, ge=0, description="seconds that a throttled answer asks to wait")

    @model_validator(mode="after")
    def _counted_or_rated(self) -> Self:
        if self.count is not None and self.rate is not None:
            message = "count or rate, not both"
            raise ValueError(message)
        return self


class Hold(_Selection):
    """Stops the `nth` request that is meant, before or after its effect, until it is released."""

    when: Literal["before", "after"]
    nth: int = Field(default=1, ge=1)


@dataclass(frozen=True, kw_only=True)
class RequestFacts:
    """A request as faults and holds see it; `client` is its User-Agent, which tells processes apart."""

    service: str
    operation: str
    identity: str
    resource: str = ""
    client: str = ""
    path: str = ""


@dataclass
class _Planted:
    fault: Fault
    chance: random.Random
    struck: int = 0

    def strikes(self) -> bool:
        if self.fault.rate is not None:
            return self.chance.random() < self.fault.rate
        return self.struck < (self.fault.count or 1)


@dataclass
class _Stop:
    hold: Hold
    passed: int = 0
    reached: RequestFacts | None = None
    reached_at: datetime | None = None
    released: threading.Event = field(default_factory=threading.Event)
    dropped: bool = False


class Faults:
    """The faults and holds of one sandbox, thread-safe."""

    def __init__(self) -> None:
        """Starts without any."""
        self._lock = threading.Lock()
        self._faults: dict[str, _Planted] = {}
        self._stops: dict[str, _Stop] = {}

    def plant(self, fault: Fault) -> str:
        """Plants a fault; returns its id."""
        return self._add(self._faults, _Planted(fault, random.Random(fault.seed)))  # noqa: S311 - repeatable, no secret

    def hold(self, hold: Hold) -> str:
        """Sets a hold; returns its id."""
        return self._add(self._stops, _Stop(hold))

    def _add(self, where: dict[str, Any], what: object) -> str:
        identifier = uuid.uuid4().hex[:8]
        with self._lock:
            where[identifier] = what
        return identifier

    def planted(self) -> list[dict[str, Any]]:
        """Every fault with its id and how often it struck."""
        with self._lock:
            return [
                {"id": identifier, "struck": each.struck, **each.fault.model_dump(mode="json")}
                for identifier, each in self._faults.items()
            ]

    def holds(self) -> list[dict[str, Any]]:
        """Every hold with its id and who waits there since when; `reached` is null while nobody does."""
        with self._lock:
            return [
                {"id": identifier, **each.hold.model_dump(mode="json"), "reached": _reached(each)}
                for identifier, each in self._stops.items()
            ]

    def clear(self) -> None:
        """Takes all faults away."""
        with self._lock:
            self._faults.clear()

    def release(self, *, drop: bool = False) -> None:
        """Takes all holds away and lets the held requests go on, or drops their connections.

        Drop them where the client was killed: what was stopped before its effect then never takes effect.
        """
        with self._lock:
            stops = list(self._stops.values())
            self._stops.clear()
        for stop in stops:
            stop.dropped = drop
            stop.released.set()

    def meet(self, facts: RequestFacts) -> Encounter:
        """What awaits a request; to be asked once for each."""
        with self._lock:
            for planted in self._faults.values():
                if planted.fault.selects(facts) and planted.strikes():
                    planted.struck += 1
                    return Encounter(self, facts, planted.fault)
        return Encounter(self, facts, None)

    def any_for(self, service: str) -> bool:
        """Whether a fault or a hold may concern a service."""
        with self._lock:
            meant = [each.fault.service for each in self._faults.values()]
            meant += [each.hold.service for each in self._stops.values()]
        return any(fnmatchcase(service, pattern) for pattern in meant)

    def wait(self, facts: RequestFacts, when: Literal["before", "after"]) -> None:
        """Stops the caller where a hold says so. Raises ConnectionDroppedError if it is released with a drop."""
        for stop in self._stops_for(facts, when):
            if not stop.released.wait(LONGEST_HOLD_SECONDS) or stop.dropped:
                raise ConnectionDroppedError

    def _stops_for(self, facts: RequestFacts, when: Literal["before", "after"]) -> list[_Stop]:
        stopping = []
        with self._lock:
            for stop in self._stops.values():
                if stop.hold.when != when or not stop.hold.selects(facts):
                    continue
                stop.passed += 1
                if stop.passed == stop.hold.nth:
                    stop.reached, stop.reached_at = facts, datetime.now(UTC)
                    stopping.append(stop)
        return stopping


def _reached(stop: _Stop) -> dict[str, Any] | None:
    if stop.reached is None or stop.reached_at is None:
        return None
    facts = stop.reached
    return {
        "service": facts.service,
        "operation": facts.operation,
        "identity": facts.identity,
        "resource": facts.resource,
        "client": facts.client,
        "path": facts.path,
        "since": stop.reached_at.isoformat(),
    }


@dataclass(frozen=True)
class Encounter:
    """One request's way past the faults: the service calls `before` and `after` around its effect."""

    faults: Faults
    facts: RequestFacts
    fault: Fault | None

    def before(self) -> Fault | None:
        """Waits or drops the connection as planted; returns a fault that the service has to answer with.

        Raises:
            ConnectionDroppedError: the connection ends here, without effect.
        """
        self.faults.wait(self.facts, "before")
        if self.fault is None:
            return None
        kind = self.fault.kind
        if kind in {FaultKind.LATENCY, FaultKind.TIMEOUT}:
            time.sleep(self.fault.seconds)
        if kind in {FaultKind.TIMEOUT, FaultKind.RESET}:
            raise ConnectionDroppedError
        return self.fault if kind in {FaultKind.THROTTLE, FaultKind.ERROR} else None

    def after(self) -> FaultKind | None:
        """Waits or drops the connection as planted; returns how the answer has to be spoilt, if at all.

        Raises:
            ConnectionDroppedError: the effect is there, but nobody hears of it.
        """
        self.faults.wait(self.facts, "after")
        if self.fault is None:
            return None
        if self.fault.kind is FaultKind.REPLY_LOST:
            raise ConnectionDroppedError
        return self.fault.kind if self.fault.kind in {FaultKind.WRONG_CONTENT_TYPE, FaultKind.EMPTY_BODY} else None


PROXY_PAGE = b"<!DOCTYPE html><html><head><meta charset=utf-8><title>Proxy</title></head><body>Try again.</body></html>"
PROXY_CONTENT_TYPE = "text/html; charset=utf-8"


def spoilt(kind: FaultKind, headers: list[tuple[str, str]]) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body that a client gets instead: a page of a proxy in between, or nothing."""
    kept = [(name, value) for name, value in headers if name.lower() not in {"content-length", "content-encoding"}]
    if kind is FaultKind.EMPTY_BODY:
        return kept, b""
    kept = [(name, value) for name, value in kept if name.lower() != "content-type"]
    return [*kept, ("Content-Type", PROXY_CONTENT_TYPE)], PROXY_PAGE
