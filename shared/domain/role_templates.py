"""What a CloudFormation template gives an account for Defender for Cloud: providers, roles, trust, permissions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

ACCOUNT = "000000000000"
"""Stands for the account that a template is deployed to, in whatever is read of it."""


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """Where something stands in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Provider:
    """An OIDC identity provider; `host` is its URL without `https://`."""

    host: str
    client_ids: frozenset[str]
    thumbprints: frozenset[str]
    place: Place


@dataclass(frozen=True, kw_only=True)
class Trust:
    """One statement by which a principal may assume a role.

    `principal` is a provider's host, a service or an ARN; the other fields are what the conditions compare with.
    """

    kind: str
    principal: str
    audiences: frozenset[str] = frozenset()
    session_names: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    external_ids: frozenset[str] = frozenset()
    place: Place


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One action of one statement of a role's policies, as it is written there, in small letters."""

    action: str
    allowed: bool
    conditional: bool
    everywhere: bool
    place: Place


@dataclass(frozen=True, kw_only=True)
class TemplateRole:
    """A role as the template makes it. Managed policies of AWS by name, others as the template calls them."""

    name: str
    place: Place
    trusts: tuple[Trust, ...] = ()
    managed_policies: frozenset[str] = frozenset()
    policy_names: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OtherResource:
    """A resource that is neither role nor provider nor policy; `runtime` is a function's."""

    kind: str
    logical_id: str
    runtime: str = ""
    place: Place


@dataclass(frozen=True, kw_only=True)
class RoleTemplate:
    """What a template makes of given parameters. `transforms` are the places of transforms and macros."""

    roles: tuple[TemplateRole, ...] = ()
    providers: tuple[Provider, ...] = ()
    others: tuple[OtherResource, ...] = ()
    transforms: tuple[Place, ...] = ()
    parameters: frozenset[str] = frozenset()
    obligatory: frozenset[str] = field(default=frozenset())

    def find(self, name: str) -> TemplateRole | None:
        """The role of that name; None where the template makes none."""
        return next((role for role in self.roles if role.name == name), None)


def covers(patterns: Iterable[str], action: str) -> bool:
    """Whether an IAM action, which may be a pattern itself, is one of these patterns or matches one."""
    return any(fnmatchcase(action, pattern) for pattern in patterns)
