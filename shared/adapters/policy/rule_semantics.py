"""What is wrong with rules, of either cloud: names that are not there, rules that match nobody or come too late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shared.adapters.policy.yaml_tree import Loc, Problem, Tree, as_list, as_map

_MOST_NAMED = 10


class Known:
    """Names that may be used, and how a message lists them."""

    def __init__(self, noun: str, names: Iterable[str], none: str = "") -> None:
        """`none` is said where there are no names at all."""
        self._noun, self._names = noun, frozenset(names)
        self._words = _some_of(self._names) or none  # sorted once: a file may ask thousands of times

    def unknown(self, tree: Tree, loc: Loc) -> Iterator[Problem]:
        """A name there that is none of them."""
        name = tree.at(loc)
        if isinstance(name, str) and name not in self._names:
            yield tree.error(loc, f"{self._noun} {name!r} is not among {self._words}")


def known_targets(tree: Tree) -> Known:
    """The targets that the file has."""
    return Known("target", as_map(tree.at(("targets",))), "the section `targets`, which is not there")


class RuleSection:
    """The part of the file that has rules, a default profile and exclusions: the file itself, or `gcp`."""

    def __init__(self, tree: Tree, loc: Loc = ()) -> None:
        """The section at `loc`, as it was read."""
        self.tree, self.loc = tree, loc
        self.document = as_map(tree.at(loc))
        self.rules = [as_map(rule) for rule in as_list(self.document.get("rules"))]

    def profile_places(self) -> list[Loc]:
        """Where it names profiles."""
        return [(*self.loc, "default_profile"), *((*self.loc, "rules", i, "profile") for i in range(len(self.rules)))]

    def profiles(self) -> set[str]:
        """The profiles that it names, known or not."""
        default = self.document.get("default_profile", "foundational")
        asked = [default, *(rule.get("profile") for rule in self.rules)]
        return {name for name in asked if isinstance(name, str)}

    def targets(self) -> set[str]:
        """The targets that its rules name."""
        asked = [rule.get("target") for rule in self.rules]
        return {name for name in asked if isinstance(name, str)}

    def names(self, profiles: Known, targets: Known) -> Iterator[Problem]:
        """Profiles and targets that are not there."""
        for loc in self.profile_places():
            yield from profiles.unknown(self.tree, loc)
        for index in range(len(self.rules)):
            yield from targets.unknown(self.tree, (*self.loc, "rules", index, "target"))

    def matches(self) -> Iterator[Problem]:
        """Rules that match nobody, or nobody who is left."""
        excluded = {str(account) for account in as_list(as_map(self.document.get("exclusions")).get("accounts"))}
        first: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            match = rule.get("match")
            if isinstance(match, dict):
                yield from self._match(index, match, first)
            for position, account in enumerate(as_list(as_map(match).get("accounts"))):
                if str(account) in excluded:
                    loc = (*self.loc, "rules", index, "match", "accounts", position)
                    yield self.tree.warning(loc, f"{account} is excluded, which goes before")

    def _match(self, index: int, match: dict[str, Any], first: dict[str, int]) -> Iterator[Problem]:
        """`first` has the number of the first rule for each matcher so far."""
        loc: Loc = (*self.loc, "rules", index, "match")
        noun = "project" if self.loc else "account"
        if not any(match.values()):
            yield self.tree.error(loc, f"matches no {noun}: it asks for nothing")
            return
        earlier = first.setdefault(repr(sorted(match.items())), index + 1)
        if earlier <= index:
            yield self.tree.warning(loc, f"never reached: rule {earlier} matches the same {noun}s")


def _some_of(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMED
    return ", ".join(ordered[:_MOST_NAMED]) + (f", … and {more} more" if more > 0 else "")
