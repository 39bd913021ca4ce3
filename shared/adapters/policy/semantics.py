"""What a policy file says that its form alone does not show to be wrong: names that are not there, what cannot be.

It works on the document as it was read, so that it tells its part even where the form is wrong elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from shared.adapters.policy.profile_document import PLAN_NAMES
from shared.adapters.policy.yaml_tree import Loc, Problem, Tree
from shared.domain.profiles import BUILT_IN

_STORAGE_WORDS = ("storage", "defender_for_storage", "malware_scanning")
_MOST_EXTENDED = 10
_MOST_NAMED = 10
_PORTAL_INTERVALS = (4, 6, 12, 24)
_MAXIMUM = "maximum"
_RDS = "billed; changes RDS parameter groups; its role is in templates of the portal only"
_SOVEREIGN = ("usgov", "usdod", "china")
_OTHER_PARTITIONS = ("us-gov-", "cn-", "us-iso", "eu-iso", "eusc-")
"""Regions outside the partition `aws`. Source: botocore 1.44 `partitions.json`."""
_ONLY_IDS = (
    "in mode native Defender itself makes members for these accounts: an Organization connector excludes ids only; "
    "add theirs to it"
)


def semantic_problems(tree: Tree) -> Iterator[Problem]:
    """Everything that follows from several places of the file together."""
    yield from _Semantics(tree).all()


class _Semantics:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.document = _map(tree.value)
        self.profiles = _map(self.document.get("profiles"))
        self.rules = [_map(rule) for rule in _list(self.document.get("rules"))]
        self.known = {*BUILT_IN, *self.profiles}

    def all(self) -> Iterator[Problem]:
        yield from self._names()
        yield from self._mode()
        yield from self._exclusions()
        yield from self._locations()
        for name in self.profiles:
            yield from self._profile(name)
        yield from self._rules()
        yield from self._maximum()
        yield from self._deletions()
        yield from self._sweep()
        yield from self._unused()

    def _error(self, loc: Loc, message: str, *, key: bool = False) -> Problem:
        line, column = self.tree.place(loc, key=key)
        return Problem(line=line, column=column, message=message)

    def _warning(self, loc: Loc, message: str) -> Problem:
        line, column = self.tree.place(loc)
        return Problem(line=line, column=column, message=message, is_error=False)

    def _names(self) -> Iterator[Problem]:
        asked: list[Loc] = [("default_profile",), *(("rules", i, "profile") for i in range(len(self.rules)))]
        asked += [("profiles", name, "extends") for name in self.profiles]
        known = _some_of(self.known)
        for loc in asked:
            name = self.tree.at(loc)
            if isinstance(name, str) and name not in self.known:
                yield self._error(loc, f"profile {name!r} is not among {known}")
        targets = _map(self.document.get("targets"))
        words = _some_of(targets) or "the section `targets`, which is not there"
        for index, rule in enumerate(self.rules):
            name = rule.get("target")
            if isinstance(name, str) and name not in targets:
                yield self._error(("rules", index, "target"), f"target {name!r} is not among {words}")
        for name in self.profiles:
            chain = self._chain(name)
            if name in chain[1:]:
                yield self._error(("profiles", name, "extends"), f"profile {name!r} extends itself")
            elif len(chain) > _MOST_EXTENDED:
                yield self._error(
                    ("profiles", name, "extends"), f"profile {name!r} extends more than {_MOST_EXTENDED} in a row"
                )

    def _chain(self, name: str) -> list[str]:
        """A profile and what it extends, nearest first; ends at a ready-made one, at itself, or too far away."""
        chain, current = [name], name
        while len(chain) <= _MOST_EXTENDED:
            base = _map(self.profiles.get(current)).get("extends")
            if not isinstance(base, str) or base not in self.profiles or (base == current and base in BUILT_IN):
                break
            chain.append(base)
            if base in chain[:-1]:
                break
            current = base
        return chain

    def _mode(self) -> Iterator[Problem]:
        mode = self.document.get("mode", "standalone")
        if mode not in ("member", "native"):  # a tuple: what was read may be unhashable
            if "organization_connector" in self.document and mode == "standalone":
                yield self._warning(("organization_connector",), "has no meaning in mode standalone")
            return
        if "organization_connector" not in self.document:
            yield self._error(("mode",), f"mode {mode} needs the section `organization_connector`")
        default = self.document.get("default_profile", "foundational")
        for index, rule in enumerate(self.rules):
            for word, usual in (("profile", default), ("target", None)):
                if isinstance(rule.get(word), str) and rule[word] != usual:
                    yield self._error(
                        ("rules", index, word),
                        f"in mode {mode} every account takes the Organization connector's {word}; "
                        "exclude these accounts there, or use mode standalone",
                    )

    def _exclusions(self) -> Iterator[Problem]:
        mode, exclusions = self.document.get("mode"), _map(self.document.get("exclusions"))
        for word in ("ou_paths", "names", "tags"):
            if mode == "native" and exclusions.get(word):
                yield self._warning(("exclusions", word), _ONLY_IDS)

    def _locations(self) -> Iterator[Problem]:
        places: list[Loc] = [("target",), *(("targets", name) for name in _map(self.document.get("targets")))]
        for place in places:
            location = _map(self.tree.at(place)).get("location")
            if isinstance(location, str) and location.lower().replace(" ", "").startswith(_SOVEREIGN):
                yield self._error(
                    (*place, "location"), "AWS connectors are not available in Azure Government or Azure in China"
                )

    def _profile(self, name: str) -> Iterator[Problem]:
        here: Loc = ("profiles", name)
        profile = _map(self.profiles[name])
        plans = profile.get("plans")
        named = plans if isinstance(plans, list) else list(_map(plans))
        for index, plan in enumerate(named):
            loc: Loc = (*here, "plans", index if isinstance(plans, list) else plan)
            yield from self._plan(loc, plan)
        if _map(self._setting(name, "defender_cspm")).get("ciem") is True and "ciem" not in self.document:
            loc = (*here, "plans", "defender_cspm", "ciem")
            yield self._error(loc, "CIEM needs the section `ciem`, with the application that an administrator made")
        if _map(self._setting(name, "databases")).get("rds_threat_protection") is True:
            yield self._warning((*here, "plans", "databases", "rds_threat_protection"), _RDS)
        if _map(self._setting(name, "containers")).get("audit_logs") is False:
            loc = (*here, "plans", "containers", "audit_logs")
            yield self._warning(loc, "without audit logs there is no control-plane threat detection")
        yield from self._regions((*here, "regions"), profile.get("regions"))
        yield from self._after(name, here, profile)
        interval = profile.get("scan_interval_hours")
        if isinstance(interval, int) and 1 <= interval <= 24 and interval not in _PORTAL_INTERVALS:  # noqa: PLR2004
            yield self._warning((*here, "scan_interval_hours"), "the portal offers 4, 6, 12 and 24 hours only")

    def _regions(self, here: Loc, regions: Any) -> Iterator[Problem]:
        for index, region in enumerate(_list(regions)):
            if isinstance(region, str) and region.startswith(_OTHER_PARTITIONS):
                yield self._error((*here, index), f"connectors reach no region of that partition: {region}")

    def _setting(self, name: str, plan: str) -> Any:
        return _map(_map(self.profiles[name]).get("plans")).get(plan)

    def _plan(self, loc: Loc, plan: Any) -> Iterator[Problem]:
        if isinstance(plan, str) and plan.lower() in _STORAGE_WORDS:
            yield self._error(
                loc,
                "Defender for Storage does not exist for AWS; S3 is covered by sensitive-data discovery, "
                "which is part of defender_cspm (sensitive_data)",
                key=True,
            )
        elif isinstance(loc[-1], int) and plan not in PLAN_NAMES:
            yield self._error(loc, f"plan {plan!r} is not among {', '.join(PLAN_NAMES)}")

    def _after(self, name: str, here: Loc, profile: dict[str, Any]) -> Iterator[Problem]:
        if profile.get("standards") and not self._has(name, {"defender_cspm", "servers", "containers", "databases"}):
            yield self._error((*here, "standards"), "standards need a paid plan; this profile has none")
        if profile.get("governance") and not self._has(name, {"defender_cspm"}):
            yield self._error((*here, "governance"), "governance rules need defender_cspm")
        rules = [_map(rule) for rule in _list(profile.get("governance"))]
        for key in ("priority", "name"):
            counted = Counter(str(rule.get(key)) for rule in rules if key in rule)
            for index, rule in enumerate(rules):
                if counted[str(rule.get(key))] > 1 and key in rule:
                    yield self._error((*here, "governance", index, key), f"{key} {rule[key]!r} is given twice")
        for index, rule in enumerate(rules):
            if ("owner" in rule) == ("owner_tag" in rule):
                yield self._error((*here, "governance", index), "a governance rule has an owner or an owner_tag")

    def _has(self, name: str, wanted: set[str]) -> bool:
        """Whether a profile has one of the plans, its own word before that of what it extends."""
        missing = set(wanted)
        chain = self._chain(name)
        for each in chain:
            plans = _map(self.profiles.get(each)).get("plans")
            given = _map(plans) or dict.fromkeys(plan for plan in _list(plans) if isinstance(plan, str))
            for plan in list(missing):
                if plan in given:
                    if given[plan] is not False:
                        return True
                    missing.discard(plan)
        base = _map(self.profiles.get(chain[-1])).get("extends")
        built = BUILT_IN.get(base) if isinstance(base, str) else None
        if built is None:
            return False
        on = {"defender_cspm": built.cspm, "servers": built.servers, "containers": built.containers}
        return any((on | {"databases": built.databases})[plan] for plan in missing)

    def _rules(self) -> Iterator[Problem]:
        excluded = {str(account) for account in _list(_map(self.document.get("exclusions")).get("accounts"))}
        first: dict[str, int] = {}
        for index, rule in enumerate(self.rules):
            match = rule.get("match")
            if isinstance(match, dict):
                yield from self._match(index, match, first)
            for position, account in enumerate(_list(_map(match).get("accounts"))):
                if str(account) in excluded:
                    yield self._warning(
                        ("rules", index, "match", "accounts", position), f"{account} is excluded, which goes before"
                    )

    def _match(self, index: int, match: dict[str, Any], first: dict[str, int]) -> Iterator[Problem]:
        """`first` has the number of the first rule for each matcher so far."""
        if not any(match.values()):
            yield self._error(("rules", index, "match"), "matches no account: it asks for nothing")
            return
        earlier = first.setdefault(repr(sorted(match.items())), index + 1)
        if earlier <= index:
            yield self._warning(("rules", index, "match"), f"never reached: rule {earlier} matches the same accounts")

    def _maximum(self) -> Iterator[Problem]:
        """The ready-made profile with threat protection for RDS, wherever it is used with that."""
        asked: list[Loc] = [("default_profile",), *(("rules", i, "profile") for i in range(len(self.rules)))]
        places = [loc for loc in asked if self.tree.at(loc) == _MAXIMUM and _MAXIMUM not in self.profiles]
        for name in self.profiles:
            databases = self._setting(name, "databases")
            said = databases is False or "rds_threat_protection" in _map(databases)
            loc: Loc = ("profiles", name, "extends")
            if not said and self.tree.at(loc) == _MAXIMUM and (name == _MAXIMUM or _MAXIMUM not in self.profiles):
                places.append(loc)
        for loc in places:
            yield self._warning(loc, f"{_MAXIMUM} has threat protection for RDS: {_RDS}")

    def _deletions(self) -> Iterator[Problem]:
        for word, value in _map(self.document.get("deletions")).items():
            if value is True:
                yield self._warning(("deletions", word), f"{word.replace('_', ' ')}: deletes without asking")

    def _sweep(self) -> Iterator[Problem]:
        loc, regions = ("sweep", "instance_regions"), _map(self.document.get("sweep")).get("instance_regions")
        yield from self._regions(loc, regions)
        if _list(regions) and _map(self.document.get("deletions")).get("orphaned_machines") is True:
            yield self._warning(loc, "an instance in any other region counts as gone, and its machine may be deleted")

    def _unused(self) -> Iterator[Problem]:
        asked = [self.document.get("default_profile", "foundational"), *(rule.get("profile") for rule in self.rules)]
        asked += [_map(profile).get("extends") for profile in self.profiles.values()]
        used = {name for name in asked if isinstance(name, str)}
        for name in self.profiles:
            if name not in used:
                yield self._warning(("profiles", name), f"profile {name!r} is not used")
        named = {rule.get("target") for rule in self.rules if isinstance(rule.get("target"), str)}
        for name in _map(self.document.get("targets")):
            if name not in named:
                yield self._warning(("targets", name), f"target {name!r} is not used")


def _some_of(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMED
    return ", ".join(ordered[:_MOST_NAMED]) + (f", … and {more} more" if more > 0 else "")


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
