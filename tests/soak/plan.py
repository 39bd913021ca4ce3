"""The plan of a soak: which deeds, faults, kills and repetitions come when. The same seed makes the same plan."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER
from sandbox.faults import FaultKind
from tests.e2e.fault_rows import ROWS
from tests.soak.model import BIRTHS, FOLDERS, MOVES, QUARANTINE, UNITS, Deed, Model

StepKind = Literal["deed", "fault", "kill", "repeat", "stray", "look", "expire"]
SECONDS_BETWEEN: dict[StepKind, float] = {
    "deed": 1.6,
    "fault": 1.0,
    "kill": 11.0,
    "repeat": 3.0,
    "stray": 4.0,
    "look": 40.0,
    "expire": 110.0,
}
"""How long it is to the next one, on average."""
MOST_MEMBERS = 70
QUIET_SECONDS = 5.0
"""So long before the end nothing new begins."""
PROCESSES = (
    "functions-0",
    "functions-1",
    "lambda:rollcall-account-events",
    "lambda:rollcall-stack-events",
    "lambda:rollcall-reconcile-accounts",
    "storage",
    "command",
)
"""What is killed and started again; `storage` is Azurite, which is asked to end and keeps its data; `command` is
`rollcall sweep`, where one runs."""
GRANTED = (FUNCTIONS, QUEUE_SENDER, "google")
"""Whose tokens end before their time: those that Azure's tenant granted to one of ours, or all of Google's."""
REPEATS = (*(("AccountEventsQueue", "StackEventsQueue", "onboarding") * 3), "google")
LOOKS = ("reconcile", "sweep")
STRAYS = (
    "account_joined.created",
    "account_joined.invited",
    "create_account_result.succeeded",
    "managed_account.updated",
    "move_account",
    "account_departed.removed",
    "onboarding_requested",
    "tag_resource.account",
    "close_account",
    "close_account_result.succeeded",
)
"""Events that may tell of anybody at any time, since events decide nothing: old ones, late ones, of the wrong order."""
MOST_SKEW_SECONDS = 600
_KINDS = (
    *((FaultKind.THROTTLE, FaultKind.ERROR, FaultKind.RESET, FaultKind.REPLY_LOST) * 3),
    *((FaultKind.TIMEOUT, FaultKind.LATENCY) * 2),
    FaultKind.WRONG_CONTENT_TYPE,
    FaultKind.EMPTY_BODY,
)
_SERVICES = (
    ("organizations", "*", "*:role/rollcall-*"),
    ("cloudformation", "*", "*:role/rollcall-*"),
    ("sqs", "*", "*:role/rollcall-*"),
    ("s3", "GetObject", "*:role/rollcall-*"),
    ("events", "DeliverToTarget", "*"),
    ("arm", "*", "rollcall-functions"),
    ("table", "*", "rollcall-functions"),
    ("queue", "*", "rollcall-functions"),
    ("queue", "PutMessage", "rollcall-lambda-queue-sender"),
    ("blob", "GetBlob", "rollcall-functions"),
    ("entra", "GetToken", "*"),
    ("managed-identity", "GetToken", "rollcall-functions"),
    ("gcp", "*", "rollcall@*"),
    ("lambda-runtime", "InvocationResponse", "*"),
    ("functions", "CallFunction", "*"),
    ("sts", "*", "*"),
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Which requests a fault strikes."""

    service: str
    operation: str
    identity: str
    resource: str = "*"
    client: str = "*"


STEPS = tuple(
    Target(service=row.service, operation=row.operation, identity=row.identity, resource=row.resource)
    for row in ROWS
    if row.operation != "PutEvents"  # those of the product go through `events to queue`, the others are our deeds
)
"""The requests of the path, each by itself."""
SERVICES = tuple(Target(service=service, operation=operation, identity=who) for service, operation, who in _SERVICES)
"""Whatever is asked next of a service."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happens `at` seconds after the start; which fields count depends on `kind`."""

    at: float
    kind: StepKind
    deed: Deed | None = None
    name: str = ""
    unit: str = ""
    what: str = ""
    fault: FaultKind | None = None
    target: Target | None = None
    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All steps in order."""

    seed: int
    seconds: float
    steps: Sequence[Step]

    @property
    def digest(self) -> str:
        """The same for the same steps."""
        return hashlib.sha256("\n".join(map(repr, self.steps)).encode()).hexdigest()[:16]


def plan_of(seed: int, seconds: float, *, pace: float = 1.0) -> Plan:
    """The plan of so many seconds, in which things come so much faster."""
    makers: dict[StepKind, Callable[[random.Random, float], Step]] = {
        "deed": _Deeds(),
        "fault": _fault,
        "kill": _kill,
        "repeat": _repeat,
        "stray": _stray,
        "look": _look,
        "expire": _expire,
    }
    steps: list[Step] = []
    for kind, mean in SECONDS_BETWEEN.items():
        chance = random.Random(f"{seed}/{kind}")  # noqa: S311 - repeatable, no secret
        steps += [makers[kind](chance, at) for at in _moments(chance, mean / pace, seconds - QUIET_SECONDS / pace)]
    return Plan(seed=seed, seconds=seconds, steps=sorted(steps, key=lambda step: step.at))


def _moments(chance: random.Random, mean: float, until: float) -> Iterator[float]:
    at = chance.uniform(0, mean)
    while at < until:
        yield round(at, 2)
        at += chance.uniform(0.2 * mean, 1.8 * mean)


class _Deeds:
    """Deeds that are possible when they come, on a population that grows and then lives."""

    def __init__(self) -> None:
        self._model = Model()
        self._names = 0

    def __call__(self, chance: random.Random, at: float) -> Step:
        deed, name = self._choose(chance)
        unit = self._unit(chance, deed, name)
        self._model.apply(deed, name, unit)
        return Step(at=at, kind="deed", deed=deed, name=name, unit=unit)

    def _choose(self, chance: random.Random) -> tuple[Deed, str]:
        there = len(self._model.members)
        if chance.random() < max(0.15, 1 - there / 12) and there < MOST_MEMBERS:
            self._names += 1
            births = (Deed.JOIN, Deed.JOIN, Deed.JOIN, Deed.APPEAR, Deed.CREATE, Deed.CREATE, Deed.RIVAL)
            deed = chance.choice((*births, Deed.APPEAR_PROJECT))
            return deed, f"{BIRTHS[deed]}-{self._names:03d}"
        by_deed: dict[Deed, list[str]] = {}
        for deed, name in self._model.choices():
            by_deed.setdefault(deed, []).append(name)
        weights = [_WEIGHTS.get(deed, 1.0) for deed in by_deed]
        [deed] = chance.choices(list(by_deed), weights)
        return deed, chance.choice(by_deed[deed])

    def _unit(self, chance: random.Random, deed: Deed, name: str) -> str:
        if deed is Deed.RETURN:
            return "/"
        if BIRTHS.get(deed) == "gcp":
            return chance.choice([*FOLDERS, QUARANTINE])
        if deed not in MOVES:
            return ""
        member = self._model.members[name]
        units = [*(UNITS if member.cloud == "aws" else FOLDERS), QUARANTINE]
        return chance.choice([unit for unit in units if unit != member.unit])


_WEIGHTS = {
    Deed.MOVE: 4.0,
    Deed.MOVE_PROJECT: 3.0,
    Deed.TAG: 2.0,
    Deed.UNTAG: 3.0,
    Deed.UNDELETE_PROJECT: 2.0,
    Deed.CLOSE: 0.5,
    Deed.LEAVE: 0.5,
    Deed.REMOVE: 0.5,
    Deed.RETURN: 2.0,
}


def _fault(chance: random.Random, at: float) -> Step:
    return Step(
        at=at,
        kind="fault",
        fault=chance.choice(_KINDS),
        target=chance.choice(chance.choice((STEPS, SERVICES))),
        count=chance.choice((1, 2, 3, 5, 8)),
        seconds=round(chance.uniform(0.2, 3.0), 1),
    )


def _kill(chance: random.Random, at: float) -> Step:
    return Step(at=at, kind="kill", what=chance.choice(PROCESSES), seconds=round(chance.uniform(0.5, 4.0), 1))


def _repeat(chance: random.Random, at: float) -> Step:
    return Step(at=at, kind="repeat", what=chance.choice(REPEATS), seconds=float(chance.choice((0, 0, 3, 10, 20))))


def _stray(chance: random.Random, at: float) -> Step:
    skew = chance.choice((0, 0, -MOST_SKEW_SECONDS, -30, 30, MOST_SKEW_SECONDS))
    return Step(at=at, kind="stray", what=chance.choice(STRAYS), seconds=float(skew), count=chance.randrange(1000))


def _look(chance: random.Random, at: float) -> Step:
    return Step(at=at, kind="look", what=chance.choice(LOOKS))


def _expire(chance: random.Random, at: float) -> Step:
    return Step(at=at, kind="expire", what=chance.choice(GRANTED))
