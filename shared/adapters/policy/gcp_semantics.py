"""What the section `gcp` says that its form alone does not show to be wrong, or that GCP does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared.adapters.policy.rule_semantics import Known, RuleSection, known_targets
from shared.adapters.policy.yaml_tree import Loc, Problem, Tree, as_list, as_map
from shared.domain.gcp_connector_api import WITHOUT_EFFECT

HERE: Loc = ("gcp",)
_MEMBER_NEEDS = ("management_project", "organization_connector")
_ONE_TARGET = (
    "in mode member every project stands in the Organization connector's target; "
    "exclude these projects there, or use mode standalone"
)
_ONE_PROFILE = (
    "in mode member Defender may give this project the Organization connector's plans when that is edited; "
    "whether it does is documented for AWS only"
)
_AWS_STANDARD = "AWS"


def is_gcp_given(tree: Tree) -> bool:
    """Whether the file says anything about projects."""
    return isinstance(tree.at(HERE), dict)


def gcp_problems(tree: Tree, profiles: Known, chain: Callable[[str], list[str]]) -> Iterator[Problem]:
    """Everything about the section; nothing where there is none. `chain` gives a profile and what it extends."""
    if is_gcp_given(tree):
        yield from _Gcp(tree, profiles, chain).all()


class _Gcp:
    def __init__(self, tree: Tree, profiles: Known, chain: Callable[[str], list[str]]) -> None:
        self.tree, self.profiles, self.chain = tree, profiles, chain
        self.section = RuleSection(tree, HERE)
        self.document = self.section.document

    def all(self) -> Iterator[Problem]:
        targets = known_targets(self.tree)
        yield from self.section.names(self.profiles, targets)
        yield from targets.unknown(self.tree, (*HERE, "target"))
        yield from self._mode()
        yield from self._one_name()
        yield from self.section.matches()
        yield from self._without_effect()

    def _mode(self) -> Iterator[Problem]:
        mode = self.document.get("mode", "member")
        if mode == "standalone":
            for word in _MEMBER_NEEDS:
                if word in self.document:
                    yield self.tree.warning((*HERE, word), "has no meaning in mode standalone")
        if mode != "member":
            return
        for word in _MEMBER_NEEDS:
            if not self.document.get(word):
                yield self.tree.error((*HERE, "mode"), f"mode member needs the section `{word}`", key=True)
        default = self.document.get("default_profile", "foundational")
        for index, rule in enumerate(self.section.rules):
            target, profile = rule.get("target"), rule.get("profile")
            if isinstance(target, str) and target != self.document.get("target"):
                yield self.tree.error((*HERE, "rules", index, "target"), _ONE_TARGET)
            if isinstance(profile, str) and profile != default:
                yield self.tree.warning((*HERE, "rules", index, "profile"), _ONE_PROFILE)

    def _one_name(self) -> Iterator[Problem]:
        """Two connectors of one name in one resource group would be one resource."""
        loc: Loc = (*HERE, "organization_connector", "name")
        ours, theirs = self.tree.at(loc), self.tree.at(("organization_connector", "name"))
        if isinstance(ours, str) and isinstance(theirs, str) and ours.lower() == theirs.lower():
            yield self.tree.error(loc, f"{ours} is the name of AWS's Organization connector already")

    def _without_effect(self) -> Iterator[Problem]:
        """What a profile of projects says and GCP does not have; of ready-made ones the reference tells it."""
        used = {name for asked in self.section.profiles() for name in self.chain(asked)}
        declared = as_map(self.tree.at(("profiles",)))
        for name in sorted(used & set(declared)):
            loc: Loc = ("profiles", name)
            profile = as_map(declared[name])
            plans = as_map(profile.get("plans"))
            for plan, parts in WITHOUT_EFFECT.items():
                for part in parts:
                    if as_map(plans.get(plan)).get(part):
                        yield self._no_such((*loc, "plans", plan, part), f"no {part} of {plan}")
            if profile.get("regions"):
                yield self._no_such((*loc, "regions"), "no regions in a connector")
            if as_map(plans.get("defender_cspm")).get("ciem") is True and "ciem" not in self.document:
                where = (*loc, "plans", "defender_cspm", "ciem")
                yield self.tree.warning(where, "projects get CIEM only with the section `ciem` in `gcp`")
            yield from self._standards(loc, profile)

    def _no_such(self, loc: Loc, what: str) -> Problem:
        return self.tree.warning(loc, f"GCP has {what}: without effect for projects with this profile")

    def _standards(self, loc: Loc, profile: dict[str, Any]) -> Iterator[Problem]:
        for index, standard in enumerate(as_list(profile.get("standards"))):
            if isinstance(standard, str) and _AWS_STANDARD in standard.split():
                yield self.tree.warning(
                    (*loc, "standards", index), f"{standard!r} is AWS's, and projects have this profile, too"
                )
