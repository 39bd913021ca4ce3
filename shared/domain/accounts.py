"""Accounts as their organization describes them now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_PROJECT_NUMBER = re.compile(r"[0-9]{1,20}")
_PROJECT_ID = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]")  # old ones have a domain in front


class Provider(StrEnum):
    """The clouds whose accounts answer the roll."""

    AWS = "aws"
    GCP = "gcp"

    @property
    def noun(self) -> str:
        """What one of its accounts is called."""
        return "account" if self is Provider.AWS else "project"


class AccountState(StrEnum):
    """Life cycle of an AWS account or GCP project; `ACTIVE` is the word of both.

    `DELETE_REQUESTED` is a project's alone, the others an account's. `UNKNOWN` is ours, for a state that was added
    since. Source: Organizations API 2016-11-28, `Account.State`; Cloud Resource Manager v3, `Project.state`.
    """

    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    PENDING_CLOSURE = "PENDING_CLOSURE"
    CLOSED = "CLOSED"
    DELETE_REQUESTED = "DELETE_REQUESTED"
    UNKNOWN = "UNKNOWN"


def is_account_id(text: str) -> bool:
    """Whether `text` is an AWS account id: twelve digits, leading zeros included."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def as_argument(identifier: str, provider: Provider) -> str:
    """How a command of an operator names an account, or a project by its id or number."""
    return f"{identifier} --provider gcp" if provider is Provider.GCP else identifier


def is_project_number(text: str) -> bool:
    """Whether `text` may be the number of a GCP project, which has no fixed length."""
    return _PROJECT_NUMBER.fullmatch(text) is not None


def is_project_id(text: str) -> bool:
    """Whether `text` may be the id of a GCP project. Source: Resource Manager v3, `Project.projectId`."""
    return _PROJECT_ID.fullmatch(text) is not None


def providers_of(text: str) -> tuple[Provider, ...]:
    """The clouds where `text` may name an account or a project: twelve digits do so in both, a name in none."""
    if is_account_id(text):
        return (Provider.AWS, Provider.GCP)
    return (Provider.GCP,) if is_project_number(text) or is_project_id(text) else ()


@dataclass(frozen=True, kw_only=True)
class Account:
    """One AWS account or GCP project at the moment it was asked about.

    `ou_path` is `/` under the root, else `/Parent/Child` by the names of the organizational units; a slash
    inside a name is written `%2F`; empty where nobody can tell any more. `tags` is empty where no rule of the
    policy asks for tags. Of a project, `account_id` is its number, `name` its id (which never changes, as its display
    name may), `ou_path` its folders by display name, `/` below the organization itself, and `tags` its labels.
    """

    account_id: str
    name: str
    state: AccountState
    ou_path: str
    joined_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    is_management: bool = False
    provider: Provider = Provider.AWS

    @property
    def subject(self) -> str:
        """What findings call it: a project may have the digits of an account."""
        return self.account_id if self.provider is Provider.AWS else f"projects/{self.account_id}"


def unlisted_account(account_id: str, provider: Provider = Provider.AWS) -> Account:
    """An account that its organization does not list: nothing is known of it but its id."""
    return Account(account_id=account_id, name="", state=AccountState.CLOSED, ou_path="", provider=provider)
