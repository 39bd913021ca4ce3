"""What a policy file says that its form alone does not show to be wrong: names that are not there, what cannot be.

It works on the document as it was read, so that it tells its part even where the form is wrong elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from shared.adapters.policy.gcp_semantics import HERE as GCP
from shared.adapters.policy.gcp_semantics import gcp_problems, is_gcp_given
from shared.adapters.policy.profile_document import PLAN_NAMES
from shared.adapters.policy.rule_semantics import Known, RuleSection, known_targets
from shared.adapters.policy.yaml_tree import Loc, Problem, Tree, as_list, as_map
from shared.domain.profiles import BUILT_IN

_STORAGE_WORDS = ("storage", "defender_for_storage", "malware_scanning")
_MOST_EXTENDED = 10
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
        self.document = as_map(tree.value)
        self.profiles = as_map(self.document.get("profiles"))
        self.section = RuleSection(tree)
        self.projects = RuleSection(tree, GCP) if is_gcp_given(tree) else None
        self.rules = self.section.rules
        self.known = Known("profile", {*BUILT_IN, *self.profiles})

    def all(self) -> Iterator[Problem]:
        yield from self._names()
        yield from self._mode()
        yield from self._exclusions()
        yield from self._locations()
        for name in self.profiles:
            yield from self._profile(name)
        yield from self.section.matches()
        yield from self._providers()
        yield from self._maximum()
        yield from self._deletions()
        yield from self._sweep()
        yield from self._notifications()
        yield from self._unused()
        yield from gcp_problems(self.tree, self.known, self._chain)

    def _notifications(self) -> Iterator[Problem]:
        """A setting has one meaning, and what a receiver knows is kept under its name."""
        receivers = [as_map(each) for each in as_list(self.document.get("notifications"))]
        given = [(each.get("kind"), each.get("setting")) for each in receivers]
        keys = {f"{setting}_KEY" for kind, setting in given if kind == "webhook"}
        for index, (_, setting) in enumerate(given):
            here = ("notifications", index, "setting")
            if not isinstance(setting, str):  # of which the schema speaks
                continue
            if setting in [other for _, other in given[:index]]:
                yield self.tree.error(here, f"{setting} is given twice")
            elif setting in keys:
                yield self.tree.error(here, f"{setting} is the key of another webhook")

    def _names(self) -> Iterator[Problem]:
        yield from self.section.names(self.known, known_targets(self.tree))
        for name in self.profiles:
            yield from self.known.unknown(self.tree, ("profiles", name, "extends"))
        for name in self.profiles:
            chain = self._chain(name)
            if name in chain[1:]:
                yield self.tree.error(("profiles", name, "extends"), f"profile {name!r} extends itself")
            elif len(chain) > _MOST_EXTENDED:
                yield self.tree.error(
                    ("profiles", name, "extends"), f"profile {name!r} extends more than {_MOST_EXTENDED} in a row"
                )

    def _chain(self, name: str) -> list[str]:
        """A profile and what it extends, nearest first; ends at a ready-made one, at itself, or too far away."""
        chain, current = [name], name
        while len(chain) <= _MOST_EXTENDED:
            base = as_map(self.profiles.get(current)).get("extends")
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
                yield self.tree.warning(("organization_connector",), "has no meaning in mode standalone")
            return
        if "organization_connector" not in self.document:
            yield self.tree.error(("mode",), f"mode {mode} needs the section `organization_connector`")
        default = self.document.get("default_profile", "foundational")
        for index, rule in enumerate(self.rules):
            for word, usual in (("profile", default), ("target", None)):
                if isinstance(rule.get(word), str) and rule[word] != usual:
                    yield self.tree.error(
                        ("rules", index, word),
                        f"in mode {mode} every account takes the Organization connector's {word}; "
                        "exclude these accounts there, or use mode standalone",
                    )

    def _exclusions(self) -> Iterator[Problem]:
        mode, exclusions = self.document.get("mode"), as_map(self.document.get("exclusions"))
        for word in ("ou_paths", "names", "tags"):
            if mode == "native" and exclusions.get(word):
                yield self.tree.warning(("exclusions", word), _ONLY_IDS)

    def _locations(self) -> Iterator[Problem]:
        places: list[Loc] = [("target",), *(("targets", name) for name in as_map(self.document.get("targets")))]
        for place in places:
            location = as_map(self.tree.at(place)).get("location")
            if isinstance(location, str) and location.lower().replace(" ", "").startswith(_SOVEREIGN):
                yield self.tree.error(
                    (*place, "location"),
                    "connectors for AWS and GCP are not available in Azure Government or Azure in China",
                )

    def _profile(self, name: str) -> Iterator[Problem]:
        here: Loc = ("profiles", name)
        profile = as_map(self.profiles[name])
        plans = profile.get("plans")
        named = plans if isinstance(plans, list) else list(as_map(plans))
        for index, plan in enumerate(named):
            loc: Loc = (*here, "plans", index if isinstance(plans, list) else plan)
            yield from self._plan(loc, plan)
        asks_for_ciem = as_map(self._setting(name, "defender_cspm")).get("ciem") is True
        if asks_for_ciem and "ciem" not in self.document and name not in self._of_projects_only:
            loc = (*here, "plans", "defender_cspm", "ciem")
            yield self.tree.error(loc, "CIEM needs the section `ciem`, with the application that an administrator made")
        if as_map(self._setting(name, "databases")).get("rds_threat_protection") is True:
            yield self.tree.warning((*here, "plans", "databases", "rds_threat_protection"), _RDS)
        if as_map(self._setting(name, "containers")).get("audit_logs") is False:
            loc = (*here, "plans", "containers", "audit_logs")
            yield self.tree.warning(loc, "without audit logs there is no control-plane threat detection")
        yield from self._regions((*here, "regions"), profile.get("regions"))
        yield from self._after(name, here, profile)
        interval = profile.get("scan_interval_hours")
        if isinstance(interval, int) and 1 <= interval <= 24 and interval not in _PORTAL_INTERVALS:  # noqa: PLR2004
            yield self.tree.warning((*here, "scan_interval_hours"), "the portal offers 4, 6, 12 and 24 hours only")

    @cached_property
    def _of_projects_only(self) -> set[str]:
        """Profiles that no account has, nor one that extends them, but some project."""
        return self._in_use(self.projects) - self._in_use(self.section) if self.projects is not None else set()

    def _in_use(self, section: RuleSection) -> set[str]:
        return {each for asked in section.profiles() for each in self._chain(asked)}

    def _regions(self, here: Loc, regions: Any) -> Iterator[Problem]:
        for index, region in enumerate(as_list(regions)):
            if isinstance(region, str) and region.startswith(_OTHER_PARTITIONS):
                yield self.tree.error((*here, index), f"connectors reach no region of that partition: {region}")

    def _setting(self, name: str, plan: str) -> Any:
        return as_map(as_map(self.profiles[name]).get("plans")).get(plan)

    def _plan(self, loc: Loc, plan: Any) -> Iterator[Problem]:
        if isinstance(plan, str) and plan.lower() in _STORAGE_WORDS:
            yield self.tree.error(
                loc,
                "Defender for Storage does not exist for AWS or GCP; S3 and Cloud Storage are covered by "
                "sensitive-data discovery, which is part of defender_cspm (sensitive_data)",
                key=True,
            )
        elif isinstance(loc[-1], int) and plan not in PLAN_NAMES:
            yield self.tree.error(loc, f"plan {plan!r} is not among {', '.join(PLAN_NAMES)}")

    def _after(self, name: str, here: Loc, profile: dict[str, Any]) -> Iterator[Problem]:
        if profile.get("standards") and not self._has(name, {"defender_cspm", "servers", "containers", "databases"}):
            yield self.tree.error((*here, "standards"), "standards need a paid plan; this profile has none")
        if profile.get("governance") and not self._has(name, {"defender_cspm"}):
            yield self.tree.error((*here, "governance"), "governance rules need defender_cspm")
        rules = [as_map(rule) for rule in as_list(profile.get("governance"))]
        for key in ("priority", "name"):
            counted = Counter(str(rule.get(key)) for rule in rules if key in rule)
            for index, rule in enumerate(rules):
                if counted[str(rule.get(key))] > 1 and key in rule:
                    yield self.tree.error((*here, "governance", index, key), f"{key} {rule[key]!r} is given twice")
        for index, rule in enumerate(rules):
            if ("owner" in rule) == ("owner_tag" in rule):
                yield self.tree.error((*here, "governance", index), "a governance rule has an owner or an owner_tag")

    def _has(self, name: str, wanted: set[str]) -> bool:
        """Whether a profile has one of the plans, its own word before that of what it extends."""
        missing = set(wanted)
        chain = self._chain(name)
        for each in chain:
            plans = as_map(self.profiles.get(each)).get("plans")
            given = as_map(plans) or dict.fromkeys(plan for plan in as_list(plans) if isinstance(plan, str))
            for plan in list(missing):
                if plan in given:
                    if given[plan] is not False:
                        return True
                    missing.discard(plan)
        base = as_map(self.profiles.get(chain[-1])).get("extends")
        built = BUILT_IN.get(base) if isinstance(base, str) else None
        if built is None:
            return False
        on = {"defender_cspm": built.cspm, "servers": built.servers, "containers": built.containers}
        return any((on | {"databases": built.databases})[plan] for plan in missing)

    def _providers(self) -> Iterator[Problem]:
        """Matchers that ask for projects outside the section that has them."""
        places: list[Loc] = [("exclusions",), *(("rules", i, "match") for i in range(len(self.rules)))]
        for loc in places:
            if as_map(self.tree.at(loc)).get("provider") == "gcp":
                yield self.tree.warning(
                    (*loc, "provider"), "matches nothing: projects have rules and exclusions of their own, in `gcp`"
                )

    def _maximum(self) -> Iterator[Problem]:
        """The ready-made profile with threat protection for RDS, wherever it is used with that."""
        places = [
            loc
            for loc in self.section.profile_places()
            if self.tree.at(loc) == _MAXIMUM and _MAXIMUM not in self.profiles
        ]
        for name in self.profiles:
            databases = self._setting(name, "databases")
            said = databases is False or "rds_threat_protection" in as_map(databases)
            loc: Loc = ("profiles", name, "extends")
            if not said and self.tree.at(loc) == _MAXIMUM and (name == _MAXIMUM or _MAXIMUM not in self.profiles):
                places.append(loc)
        for loc in places:
            yield self.tree.warning(loc, f"{_MAXIMUM} has threat protection for RDS: {_RDS}")

    def _deletions(self) -> Iterator[Problem]:
        for word, value in as_map(self.document.get("deletions")).items():
            if value is True:
                yield self.tree.warning(("deletions", word), f"{word.replace('_', ' ')}: deletes without asking")

    def _sweep(self) -> Iterator[Problem]:
        loc, regions = ("sweep", "instance_regions"), as_map(self.document.get("sweep")).get("instance_regions")
        yield from self._regions(loc, regions)
        if as_list(regions) and as_map(self.document.get("deletions")).get("orphaned_machines") is True:
            yield self.tree.warning(
                loc, "an instance in any other region counts as gone, and its machine may be deleted"
            )

    def _unused(self) -> Iterator[Problem]:
        extended = (as_map(profile).get("extends") for profile in self.profiles.values())
        used = self.section.profiles() | {name for name in extended if isinstance(name, str)}
        named = self.section.targets()
        if self.projects is not None:
            used |= self.projects.profiles()
            target = self.projects.document.get("target")
            named |= self.projects.targets() | ({target} if isinstance(target, str) else set())
        for name in self.profiles:
            if name not in used:
                yield self.tree.warning(("profiles", name), f"profile {name!r} is not used")
        for name in as_map(self.document.get("targets")):
            if name not in named:
                yield self.tree.warning(("targets", name), f"target {name!r} is not used")
