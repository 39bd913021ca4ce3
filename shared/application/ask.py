"""A question is asked of the whole tenant, and its answer says what it may lack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shared.domain.queries import Question
from shared.errors import PermanentError

Cell = str | int | float | bool | tuple[str, ...]


class QuestionStore(Protocol):
    """Who answers queries over the whole tenant, as far as the caller may read it."""

    def rows(self, query: str, *, doing: str) -> Iterator[Mapping[str, Any]]:
        """Every row. Raises TransientError, PermanentError, ConfigurationError."""

    def subscriptions(self) -> int:
        """How many subscriptions the caller may read."""

    @property
    def left_out(self) -> bool:
        """Whether the store has said that it left something out of an answer."""


@dataclass(frozen=True)
class Answer:
    """What came back; `subscriptions` is how many the caller may read, `whole` whether the store says it was all."""

    question: Question
    rows: tuple[Mapping[str, Cell], ...]
    subscriptions: int
    whole: bool


def ask(question: Question, query: str, store: QuestionStore) -> Answer:
    """The answer to a query of a question.

    Raises PermanentError where nothing may be read, because then no row means nothing, and where a row lacks a column.
    """
    subscriptions = store.subscriptions()
    if not subscriptions:
        raise PermanentError(
            "you may read no subscription, so that no row would mean nothing",
            remedy="Ask for Reader on the tenant root management group, or on the subscriptions of the connectors.",
        )
    rows = tuple(_read(question, row) for row in store.rows(query, doing=f"ask for {question.name}"))
    return Answer(question, rows, subscriptions, whole=not store.left_out)


def _read(question: Question, row: Mapping[str, Any]) -> dict[str, Cell]:
    wanted = (*question.columns, *question.more)
    missing = [name for name in wanted if name not in row]
    if missing:
        raise PermanentError(
            f"{question.store} answered without {', '.join(missing)}",
            remedy=f"See what docs/queries/{question.name}.kql yields in the portal.",
        )
    return {name: _listed(row[name]) if name in question.lists else _cell(row[name]) for name in wanted}


def _cell(value: Any) -> Cell:
    if value is None:
        return ""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)


def _listed(value: Any) -> tuple[str, ...]:
    """A list that the store wrote as JSON, without what is empty in it; text that is no list stays as it is."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        found = [value]
    members = found if isinstance(found, list) else [found]
    return tuple(sorted(str(each) for each in members if each not in {"", None}))
