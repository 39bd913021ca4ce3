"""What becomes of a population: deeds change who is where, and how each has to end is said from that alone.

Nothing here knows the product's code; what it says is what docs/guides/aws.md ("What becomes of the account"), its
counterpart for projects and the sandbox's policy say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Cloud = Literal["aws", "gcp"]

UNITS: Mapping[str, str] = {
    "/": "foundational",
    "/Arrivals": "foundational",
    "/Workloads/Dev": "foundational",
    "/Workloads/Production": "recommended",
    "/Workloads/Regulated": "regulated",
}
"""Units of the sandbox's policy that take part, with their profiles."""
FOLDERS: Mapping[str, str] = {"/Workloads": "recommended", "/Shops": "recommended"}
QUARANTINE = "/Quarantine"


class Standing(StrEnum):
    """What a cloud says of an account or a project."""

    ACTIVE = "active"
    CLOSED = "closed"
    GONE = "gone"


class Deed(StrEnum):
    """What somebody does to the population. The second half happens without any event."""

    JOIN = "join"
    MOVE = "move"
    TAG = "tag"
    UNTAG = "untag"
    CLOSE = "close"
    REMOVE = "remove"
    LEAVE = "leave"
    RETURN = "return"
    STUMBLE = "stumble"
    CREATE = "create project"
    MOVE_PROJECT = "move project"
    DELETE_PROJECT = "delete project"
    UNDELETE_PROJECT = "undelete project"
    APPEAR = "appear"
    SLIP = "slip"
    RIVAL = "rival"
    RIVAL_GOES = "rival goes"
    LOSE_CONNECTOR = "lose connector"
    LOSE_PLAN = "lose plan"
    APPEAR_PROJECT = "project appears"


class Connectors(StrEnum):
    """Which connectors an account has to have at the end."""

    OURS = "one of ours, as its profile asks"
    KEPT = "the one of ours that it had"
    PERHAPS = "at most one of ours"
    THEIRS = "only the other's"


@dataclass(frozen=True, kw_only=True)
class End:
    """How one has to end: in one of these states, with these connectors."""

    states: frozenset[str]
    connectors: Connectors
    profile: str = ""
    has_instance: bool | None = None
    """Of an account: whether its stack instance has to be there, None where both are right."""


@dataclass(kw_only=True)
class Member:
    """One account or project of the population, as the deeds have left it."""

    name: str
    cloud: Cloud = "aws"
    unit: str = "/"
    exempt: bool = False
    standing: Standing = Standing.ACTIVE
    rival: bool = False
    """Another team's connector names it."""
    returned: bool = False
    had_connector: bool = False
    """It had a connector when it ceased to take part: observed, as the moment decides it."""
    losses: int = 0
    """How often somebody took its connector away."""
    history: list[str] = field(default_factory=list)

    @property
    def takes_part(self) -> bool:
        """Whether the policy includes it as it is now."""
        return self.standing is Standing.ACTIVE and self.unit != QUARANTINE and not self.exempt

    @property
    def profile(self) -> str:
        """Its profile by the policy."""
        return (UNITS if self.cloud == "aws" else FOLDERS)[self.unit]


class Model:
    """The population; `apply` is the only way in which it changes."""

    def __init__(self) -> None:
        """Starts with nobody."""
        self.members: dict[str, Member] = {}

    def apply(self, deed: Deed, name: str, unit: str = "") -> Member:
        """The member after that deed."""
        if deed in BIRTHS:
            self.members[name] = Member(name=name, cloud=BIRTHS[deed], rival=deed is Deed.RIVAL)
        member = self.members[name]
        if unit:
            member.unit = unit
        if deed in {Deed.TAG, Deed.UNTAG}:
            member.exempt = deed is Deed.TAG
        if deed in {Deed.CLOSE, Deed.DELETE_PROJECT}:
            member.standing = Standing.CLOSED
        if deed in {Deed.REMOVE, Deed.LEAVE}:
            member.standing = Standing.GONE
        if deed in {Deed.RETURN, Deed.UNDELETE_PROJECT}:
            member.standing = Standing.ACTIVE
            member.returned = member.returned or deed is Deed.RETURN
        if deed is Deed.RIVAL_GOES:
            member.rival = False
        if deed is Deed.LOSE_CONNECTOR:
            member.losses += 1
        member.history.append(f"{deed}{f' to {unit}' if unit else ''}")
        return member

    def choices(self) -> Iterator[tuple[Deed, str]]:
        """Every deed that may be done to somebody who is there."""
        for name, member in self.members.items():
            yield from ((deed, name) for deed in (_of_account if member.cloud == "aws" else _of_project)(member))


def _of_account(member: Member) -> Iterator[Deed]:
    if member.standing is Standing.ACTIVE:
        yield from (Deed.MOVE, Deed.SLIP, Deed.CLOSE, Deed.REMOVE, Deed.LEAVE, Deed.STUMBLE)
        yield Deed.UNTAG if member.exempt else Deed.TAG
        if member.rival:
            yield Deed.RIVAL_GOES
        elif member.takes_part and not member.returned:
            yield from (Deed.LOSE_CONNECTOR, Deed.LOSE_PLAN)
    elif member.standing is Standing.GONE:
        yield Deed.RETURN


def _of_project(member: Member) -> Iterator[Deed]:
    if member.standing is Standing.ACTIVE:
        yield from (Deed.MOVE_PROJECT, Deed.DELETE_PROJECT)
        if member.takes_part:
            yield from (Deed.LOSE_CONNECTOR, Deed.LOSE_PLAN)
    else:
        yield Deed.UNDELETE_PROJECT


BIRTHS: Mapping[Deed, Cloud] = {
    Deed.JOIN: "aws",
    Deed.APPEAR: "aws",
    Deed.RIVAL: "aws",
    Deed.CREATE: "gcp",
    Deed.APPEAR_PROJECT: "gcp",
}
MOVES = frozenset({Deed.MOVE, Deed.SLIP, Deed.MOVE_PROJECT})
"""Deeds that say where to; a slip is a move whose event is lost."""
ENDINGS = frozenset({Deed.MOVE, Deed.SLIP, Deed.MOVE_PROJECT, Deed.TAG, Deed.CLOSE, Deed.REMOVE, Deed.LEAVE})
"""With these somebody may cease to take part."""


def end_of(member: Member, state: str = "") -> End:
    """How it has to end once faults have stopped, everything given up was replayed, and all was compared once.

    Where there are two ways for it, `state` says which one it took.
    """
    kept = Connectors.KEPT if member.had_connector else Connectors.PERHAPS
    instance = None if member.cloud == "aws" else False
    if member.standing is Standing.GONE:  # of these a StackSet may go on showing instances: docs/fidelity.md
        return End(states=frozenset({"departed"}), connectors=kept, has_instance=None)
    if member.standing is Standing.CLOSED:
        return End(states=frozenset({"departed"}), connectors=kept, has_instance=False)
    if not member.takes_part:
        return End(states=frozenset({"excluded"}), connectors=kept, has_instance=instance)
    there = member.cloud == "aws"
    if member.rival:
        return End(states=frozenset({"parked"}), connectors=Connectors.THEIRS, has_instance=there)
    if member.returned and state != "connected":  # its roles may still stand in the account: resource-already-exists
        return End(states=frozenset({"connected", "deploy_failed"}), connectors=kept, has_instance=None)
    return End(states=frozenset({"connected"}), connectors=Connectors.OURS, profile=member.profile, has_instance=there)
