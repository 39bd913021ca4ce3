"""Which accounts a rule or an exclusion means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from shared.domain.accounts import Account, Provider


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """Kinds of facts about an account; what is empty asks nothing. Tags: every key with one of its values.

    Names, units and values may hold `*`; an OU path stands for the unit and everything below it.
    """

    provider: Provider | None = None
    ou_paths: tuple[str, ...] = ()
    account_ids: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def match_every(self, account: Account) -> str | None:
        """Why every kind that is given matches, as words for people; None where one does not or none is given."""
        answers = list(self._answers(account))
        return " and ".join(answers) if answers and all(answers) else None

    def match_any(self, account: Account) -> str | None:
        """Why any kind that is given matches; None where none does. A provider narrows all the others."""
        if self.provider not in {None, account.provider}:
            return None
        kinds = Matcher(ou_paths=self.ou_paths, account_ids=self.account_ids, names=self.names)
        answers = [*kinds._answers(account), *(_tag(account, key, values) for key, values in self.tags.items())]
        return next((answer for answer in answers if answer), None)

    def _answers(self, account: Account) -> Iterator[str]:
        """For every kind that is given, why it matches; empty where it does not."""
        if self.provider is not None:
            yield f"provider {self.provider}" if self.provider is account.provider else ""
        if self.account_ids:
            yield f"account id {account.account_id}" if account.account_id in self.account_ids else ""
        if self.ou_paths:
            found = (path for path in self.ou_paths if _ou_pattern(path).fullmatch(account.ou_path))
            yield next((f"OU path {path}" for path in found), "")
        if self.names:
            yield next((f"name {name}" for name in self.names if _glob(name).fullmatch(account.name)), "")
        if self.tags:
            found_tags = [_tag(account, key, values) for key, values in self.tags.items()]
            yield ", ".join(found_tags) if all(found_tags) else ""


def _tag(account: Account, key: str, values: tuple[str, ...]) -> str:
    if key not in account.tags:
        return ""
    return next((f"tag {key}={value}" for value in values if _glob(value).fullmatch(account.tags[key])), "")


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in pattern.split("*")), re.DOTALL)


@cache
def _ou_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles an OU glob: `*` within one name, `**` any number of units; units below a match match too."""
    parts = [part for part in pattern.split("/") if part]
    expression = ""
    for part in parts:
        if part == "**":
            expression += r"(?:/[^/]+)*"
        else:
            expression += "/(?=[^/])" + "[^/]*".join(re.escape(piece) for piece in part.split("*"))
    return re.compile(f"{expression}(?:/.*)?", re.DOTALL)
