"""Which accounts a rule or an exclusion means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from shared.domain.accounts import Account, Provider


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What the facts are called in a cloud."""

    account: str
    path: str
    name: str
    tag: str


_WORDS = {
    Provider.AWS: _Words(account="account id", path="OU path", name="name", tag="tag"),
    Provider.GCP: _Words(account="project number", path="folder path", name="project id", tag="label"),
}


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """Kinds of facts about an account or project; what is empty asks nothing. Tags: every key with one of its values.

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
            kind = _WORDS[account.provider].account
            yield f"{kind} {account.account_id}" if account.account_id in self.account_ids else ""
        if self.ou_paths:
            found = (path for path in self.ou_paths if _ou_matches(path, account.ou_path))
            yield next((f"{_WORDS[account.provider].path} {path}" for path in found), "")
        if self.names:
            kind = _WORDS[account.provider].name
            yield next((f"{kind} {name}" for name in self.names if _glob_matches(name, account.name)), "")
        if self.tags:
            found_tags = [_tag(account, key, values) for key, values in self.tags.items()]
            yield ", ".join(found_tags) if all(found_tags) else ""


def _tag(account: Account, key: str, values: tuple[str, ...]) -> str:
    if key not in account.tags:
        return ""
    kind = _WORDS[account.provider].tag
    return next((f"{kind} {key}={value}" for value in values if _glob_matches(value, account.tags[key])), "")


def _glob_matches(pattern: str, text: str) -> bool:
    """Whether `text` is `pattern`, in which `*` stands for any number of letters.

    Taking each piece as far left as it goes is enough, and needs no second try however many `*` there are.
    """
    first, *middle = _pieces(pattern)
    if not middle:
        return text == first
    last = middle.pop()
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


@cache
def _pieces(pattern: str) -> tuple[str, ...]:
    """What stands between its stars; several in a row are one."""
    first, *rest = pattern.split("*")
    return (first, *(piece for piece in rest[:-1] if piece), *rest[-1:])


def _ou_matches(pattern: str, path: str) -> bool:
    """An OU glob: `*` within one name, `**` any number of units; units below a match match too. As `_glob_matches`."""
    units = [unit for unit in path.split("/") if unit]
    first, *rest = _groups(pattern)
    if not _names_match(first, units, 0):
        return False
    at = len(first)
    for group in rest:
        places = range(at, len(units) - len(group) + 1)
        found = next((place for place in places if _names_match(group, units, place)), None)
        if found is None:
            return False
        at = found + len(group)
    return True


def _names_match(names: tuple[str, ...], units: list[str], at: int) -> bool:
    here = units[at : at + len(names)]
    return len(here) == len(names) and all(map(_glob_matches, names, here))


@cache
def _groups(pattern: str) -> tuple[tuple[str, ...], ...]:
    """The names between its `**`."""
    groups: list[list[str]] = [[]]
    for part in (part for part in pattern.split("/") if part):
        if part == "**":
            groups.append([])
        else:
            groups[-1].append(part)
    return tuple(map(tuple, groups))
