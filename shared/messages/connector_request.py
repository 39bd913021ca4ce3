"""`connector-request/1`: what AWS and GCP ask of the Azure side about one account.

The envelope travels with every message; `data` is about the account. On the queue it is JSON in Base64, at
most 48 KiB, and never expires. Readers take this version and the one before it; writers write this one.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.domain.accounts import Provider, is_account_id
from shared.domain.exclusions import MOST_IN_ONE_MESSAGE, Exclusions
from shared.domain.ledger import AccountKey, State
from shared.errors import discreet
from shared.messages.defaults import empty_dict

SCHEMA: Literal["connector-request/1"] = "connector-request/1"
_NAMESPACE = uuid.UUID("b1a4e4f6-3a0e-5c55-8a59-9b1f5a6f7d10")

MOST_ATTEMPTS = 1_000_000
"""Far beyond any retry budget, and what a table's Int32 holds."""

HierarchyIdentifier = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]


def _as_told(text: str) -> str:
    """The same without what may not be told: logs and traces have it."""
    return discreet(text)[: len(text)]


Told = Annotated[str, AfterValidator(_as_told)]

Moment = Annotated[AwareDatetime, Field(ge=datetime(1601, 1, 1, tzinfo=UTC), le=datetime(9000, 1, 1, tzinfo=UTC))]
"""A time that a table can hold. Source: "Understanding the Table service data model", Edm.DateTime."""


class Action(StrEnum):
    """What the sender wants: a connector, none any more, or only that something be remembered."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    NOTE = "note"


class ToldExclusions(BaseModel):
    """In mode `member`, about the management account: which accounts its connector has to leave alone, and which not.

    Of GCP they are project numbers, which have no fixed length. Accounts that are on neither list stay as they are.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    excluded: tuple[HierarchyIdentifier, ...] = ()
    included: tuple[HierarchyIdentifier, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.excluded) + len(self.included) > MOST_IN_ONE_MESSAGE:
            raise ValueError(f"more than {MOST_IN_ONE_MESSAGE} accounts")
        return self


class RequestData(BaseModel):
    """The account as the sender saw it. `status` is the ledger state that the sender reports.

    `seen` reports something that changes no state: it is for the history only, or, with `exclusions`, for these.
    `joined_at` is when the account was created in, or came into, the organization.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: Provider
    organization: str = Field(min_length=1, max_length=64)
    hierarchy_identifier: HierarchyIdentifier
    name: str = Field(default="", max_length=256)
    action: Action
    status: State
    ou_path: str = Field(default="/", max_length=2048)
    tags: dict[str, str] = Field(default_factory=empty_dict)
    source: str = Field(max_length=256)
    reason: Told = Field(default="", max_length=4096)
    remedy: Told = Field(default="", max_length=2048)
    joined_at: Moment | None = None
    exclusions: ToldExclusions | None = Field(default=None, exclude_if=lambda told: told is None)

    @property
    def told(self) -> Exclusions:
        """What it says about accounts that the Organization connector has to leave alone."""
        if self.exclusions is None:
            return Exclusions()
        return Exclusions(excluded=frozenset(self.exclusions.excluded), included=frozenset(self.exclusions.included))

    @model_validator(mode="after")
    def _aws_ids_have_twelve_digits(self) -> Self:
        told = self.told
        named = (self.hierarchy_identifier, *told.excluded, *told.included)
        if self.provider is Provider.AWS and not all(map(is_account_id, named)):
            raise ValueError("an AWS account id has twelve digits")
        return self


class ConnectorRequest(BaseModel):
    """One request. `attempt` counts from 0; `first_enqueued_at` never changes, the retry budget counts from it.

    `delays` says how many of the attempts ended in a failure, and not in waiting for others: the next delay grows
    with these only.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True, populate_by_name=True)

    schema_id: Literal["connector-request/1"] = Field(default=SCHEMA, alias="schema")
    message_id: uuid.UUID
    correlation_id: Told = Field(min_length=1, max_length=128)
    traceparent: str = Field(default="", max_length=128)
    occurred_at: Moment
    first_enqueued_at: Moment
    attempt: int = Field(default=0, ge=0, le=MOST_ATTEMPTS)
    delays: int = Field(default=0, ge=0, le=MOST_ATTEMPTS)
    policy_hash: Told = Field(default="", max_length=64)
    data: RequestData

    @property
    def key(self) -> AccountKey:
        """Whose request it is."""
        return AccountKey(provider=self.data.provider, hierarchy_identifier=self.data.hierarchy_identifier)

    def next_attempt(self, *, failed: bool) -> ConnectorRequest:
        """The copy that is sent when this attempt has to be repeated; age and identity stay."""
        return self.model_copy(update={"attempt": self.attempt + 1, "delays": self.delays + failed})

    def to_json(self) -> str:
        """The message as it is written."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> ConnectorRequest:
        """Reads a message. Raises pydantic.ValidationError where it is none."""
        return cls.model_validate_json(text)


def message_id_for(event_id: str, key: AccountKey, action: Action, status: State) -> uuid.UUID:
    """The id of the message that an event causes: the same event makes the same id."""
    return uuid.uuid5(_NAMESPACE, f"{event_id}|{key}|{action}|{status}")
