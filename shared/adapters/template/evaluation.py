"""What a template's functions come to for given parameters, as far as names, trust and permissions need it.

What cannot be known from the file alone (an import, an attribute) stays visible as `${…}`, which equals nothing.
Source: CloudFormation user guide, "Intrinsic function reference", "Pseudo parameters reference".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.adapters.policy.yaml_tree import Loc, Problem, Tree, UnreadableError
from shared.domain.role_templates import ACCOUNT

NO_VALUE = object()
_MOST_STEPS = 200_000
_MOST_LETTERS = 4_000_000
_MOST_OPEN = 40
_MOST_DEPTH = 100
_MOST_DIGITS = 6
_PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",  # where the StackSet's instances are
    "AWS::NoValue": NO_VALUE,
    "AWS::URLSuffix": "amazonaws.com",
}
_NAMES = {
    "AWS::IAM::Role": ("RoleName", "role"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", "policy"),
}


class Evaluation:
    """One template with its parameters. Raises UnreadableError where working it out has no end in sight."""

    def __init__(self, tree: Tree, given: Mapping[str, str]) -> None:
        """`given` are parameters; those that the template does not declare are left out."""
        self.tree = tree
        self._values: dict[str, Any] = dict(_PSEUDO)
        for name, declared in _mapping(tree.at(("Parameters",))).items():
            default = declared.get("Default") if isinstance(declared, dict) else None
            value = given.get(name, default)
            self._values[name] = f"${{{name}}}" if value is None else _text(value)
        self._open: set[str] = set()
        self._steps = self._letters = self._depth = 0

    def settled(self, loc: Loc) -> Loc:
        """The way to what stands there once `Fn::If` has chosen."""
        value = self.tree.at(loc)
        while isinstance(value, dict) and len(value) == 1 and isinstance(value.get("Fn::If"), list):
            self._step()
            branches = value["Fn::If"]
            if len(branches) != 3:
                return loc
            loc = (*loc, "Fn::If", 1 if self.holds(branches[0]) else 2)
            value = self.tree.at(loc)
        return loc

    def items(self, loc: Loc) -> Iterator[Loc]:
        """The ways to the items of a list, or to the one item that stands for a list."""
        loc = self.settled(loc)
        value = self.tree.at(loc)
        if not isinstance(value, list):
            if value is not None and value != {"Ref": "AWS::NoValue"}:
                yield loc
            return
        for number in range(len(value)):
            item = self.settled((*loc, number))
            if self.tree.at(item) != {"Ref": "AWS::NoValue"}:
                yield item

    def value(self, loc: Loc) -> Any:
        """What stands there, worked out; None where nothing does."""
        found = self.plain(self.tree.at(loc))
        return None if found is NO_VALUE else found

    def plain(self, value: Any) -> Any:
        """A part of the template, worked out."""
        self._step()
        self._deeper()
        try:
            return self._worked(value)
        finally:
            self._depth -= 1

    def _worked(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self.plain, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._called(name, argument)
        worked = {key: self.plain(item) for key, item in value.items()}
        return {key: item for key, item in worked.items() if item is not NO_VALUE}

    def holds(self, condition: Any) -> bool:
        """Whether a condition, by its name or written out, is true. One that cannot be worked out is not."""
        self._step()
        self._deeper()
        try:
            return self._is_true(condition)
        finally:
            self._depth -= 1

    def _is_true(self, condition: Any) -> bool:
        if isinstance(condition, str):
            return self._named_holds(condition)
        if not isinstance(condition, dict) or len(condition) != 1:
            return False
        ((name, argument),) = condition.items()
        arguments = argument if isinstance(argument, list) else [argument]
        if name == "Fn::Equals" and len(arguments) == 2:
            left, right = map(self.plain, arguments)
            return bool(_text(left) == _text(right))
        if name == "Fn::Not":
            return not any(map(self.holds, arguments))
        if name == "Fn::And":
            return all(map(self.holds, arguments))
        return name in {"Fn::Or", "Condition"} and any(map(self.holds, arguments))

    def _named_holds(self, name: str) -> bool:
        entered = f"condition {name}"
        if entered in self._open or len(self._open) > _MOST_OPEN:
            return False
        self._open.add(entered)
        try:
            return self.holds(self.tree.at(("Conditions", name)))
        finally:
            self._open.discard(entered)

    def _called(self, name: str, argument: Any) -> Any:  # noqa: PLR0911 - one for each function
        if name == "Ref":
            return self._reference(str(argument))
        if name == "Fn::GetAtt":
            resource, _, attribute = (
                ".".join(map(str, argument)) if isinstance(argument, list) else str(argument)
            ).partition(".")
            return self._arn(resource) if attribute == "Arn" else f"${{{resource}.{attribute}}}"
        if name == "Fn::Sub":
            return self._substituted(argument)
        if name == "Fn::If" and isinstance(argument, list) and len(argument) == 3:
            return self.plain(argument[1] if self.holds(argument[0]) else argument[2])
        if name == "Fn::Join" and isinstance(argument, list) and len(argument) == 2:
            parts = self.plain(argument[1])
            return self._said(str(argument[0]).join(map(_text, parts if isinstance(parts, list) else [parts])))
        if name == "Fn::Select" and isinstance(argument, list) and len(argument) == 2:
            number, items = self.plain(argument[0]), self.plain(argument[1])
            position = _position(number)
            if position is not None and isinstance(items, list) and position < len(items):
                return items[position]
        return f"${{{name}}}"

    def _substituted(self, argument: Any) -> str:
        text, own = argument, {}
        if isinstance(argument, list) and len(argument) == 2:
            text, own = argument[0], {key: _text(self.plain(item)) for key, item in _mapping(argument[1]).items()}

        def replaced(found: re.Match[str]) -> str:
            name = found[1]
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in own:
                return self._said(own[name])
            resource, dot, attribute = name.partition(".")
            return self._said(
                _text(self._called("Fn::GetAtt", [resource, attribute]) if dot else self._reference(name))
            )

        return self._said(re.sub(r"\$\{([^}]+)\}", replaced, _text(text)))

    def _reference(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        resource = _mapping(self.tree.at(("Resources", name)))
        if resource.get("Type") == "AWS::IAM::Role":
            return self._property(name, "RoleName")
        return self._arn(name)

    def _arn(self, name: str) -> str:
        kind = _mapping(self.tree.at(("Resources", name))).get("Type")
        if kind == "AWS::IAM::OIDCProvider":
            host = self._property(name, "Url").removeprefix("https://")
            return self._said(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")
        if kind not in _NAMES:
            return f"${{{name}}}"
        field, word = _NAMES[kind]
        return self._said(f"arn:aws:iam::{ACCOUNT}:{word}/{self._property(name, field)}")

    def _property(self, name: str, field: str) -> str:
        """A resource's property; the resource's own name where it has none, or where it names itself."""
        if name in self._open or len(self._open) > _MOST_OPEN:
            return f"${{{name}}}"
        self._open.add(name)
        try:
            found = self.value(("Resources", name, "Properties", field))
        finally:
            self._open.discard(name)
        return f"${{{name}}}" if found is None else _text(found)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise UnreadableError(Problem(line=1, column=1, message="its functions have no end"))

    def _deeper(self) -> None:
        """Names lead from part to part, each with functions in functions: Python's stack would end first."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise UnreadableError(Problem(line=1, column=1, message="its functions are nested too deep"))

    def _said(self, text: str) -> str:
        self._step()
        self._letters += len(text)
        if self._letters > _MOST_LETTERS:
            raise UnreadableError(Problem(line=1, column=1, message="its functions make too much text"))
        return text


def _position(number: Any) -> int | None:
    """The place in a list; None where it is no such number."""
    text = str(number)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A scalar as CloudFormation hands it on."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
