"""Providers, roles, trust and permissions out of a template's tree, each with its place in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.adapters.policy.yaml_tree import Loc, Tree
from shared.adapters.template.document import TRANSFORMING, read_template
from shared.adapters.template.evaluation import Evaluation
from shared.domain.role_templates import Grant, OtherResource, Place, Provider, RoleTemplate, TemplateRole, Trust

_AWS_POLICY = "arn:aws:iam::aws:policy/"
_POLICIES = {
    "AWS::IAM::Policy": "PolicyName",
    "AWS::IAM::RolePolicy": "PolicyName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
}
_COMPARISONS = ("StringEquals", "StringLike", "StringEqualsIgnoreCase")


def read_role_template(content: bytes, parameters: Mapping[str, str]) -> RoleTemplate:
    """What a template makes of these parameters. Raises UnreadableError where it is none, or could do harm.

    Of a template with transforms only their places are read: what they make of it is not in the file.
    """
    tree = read_template(content)
    transforms = tuple(sorted(_place(tree, loc) for loc in tree.values if _is_transform(loc)))
    if transforms:
        return RoleTemplate(transforms=transforms)
    return _Reader(tree, parameters).read()


def _is_transform(loc: Loc) -> bool:
    last = loc[-1] if loc else ""
    return loc == ("Transform",) or (isinstance(last, str) and last.startswith(TRANSFORMING))


def _place(tree: Tree, loc: Loc) -> Place:
    line, column = tree.place(loc, key=isinstance(loc[-1], str))
    return Place(line=line, column=column)


class _Reader:
    """Reads one template once."""

    def __init__(self, tree: Tree, parameters: Mapping[str, str]) -> None:
        self.tree = tree
        self.evaluation = Evaluation(tree, parameters)
        self.made = [
            name
            for name, resource in tree.value["Resources"].items()
            if resource.get("Condition") is None or self.evaluation.holds(resource["Condition"])
        ]
        self.policies = [self._attachments(name) for name in self._of(*_POLICIES)]

    def read(self) -> RoleTemplate:
        declared = self.tree.at(("Parameters",))
        declared = declared if isinstance(declared, dict) else {}
        return RoleTemplate(
            roles=tuple(self._role(name) for name in self._of("AWS::IAM::Role")),
            providers=tuple(self._provider(name) for name in self._of("AWS::IAM::OIDCProvider")),
            others=tuple(self._others()),
            parameters=frozenset(declared),
            obligatory=frozenset(
                name for name, each in declared.items() if not isinstance(each, dict) or "Default" not in each
            ),
        )

    def _of(self, *kinds: str) -> Iterator[str]:
        return (name for name in self.made if self.tree.at(("Resources", name, "Type")) in kinds)

    def _provider(self, name: str) -> Provider:
        loc: Loc = ("Resources", name, "Properties")
        return Provider(
            host=_one(self.evaluation.value((*loc, "Url"))).removeprefix("https://"),
            client_ids=_texts(self.evaluation.value((*loc, "ClientIdList"))),
            thumbprints=frozenset(text.lower() for text in _texts(self.evaluation.value((*loc, "ThumbprintList")))),
            place=self._at(("Resources", name)),
        )

    def _role(self, name: str) -> TemplateRole:
        loc: Loc = ("Resources", name, "Properties")
        role_name = _one(self.evaluation.value((*loc, "RoleName"))) or f"${{{name}}}"
        attached = _texts(self.evaluation.value((*loc, "ManagedPolicyArns")))
        names: set[str] = set()
        grants: list[Grant] = []
        for each in self.evaluation.items((*loc, "Policies")):
            names.add(_one(self.evaluation.value((*each, "PolicyName"))))
            grants += self._grants((*each, "PolicyDocument"))
        for policy, roles, arn in self.policies:
            if role_name in roles or arn in attached:
                names.add(self._policy_name(policy))
                grants += self._grants(("Resources", policy, "Properties", "PolicyDocument"))
        return TemplateRole(
            name=role_name,
            place=self._at(("Resources", name)),
            trusts=tuple(self._trusts((*loc, "AssumeRolePolicyDocument"))),
            managed_policies=frozenset(
                arn.removeprefix(_AWS_POLICY).rpartition("/")[2] if arn.startswith(_AWS_POLICY) else arn
                for arn in attached - {arn for _, _, arn in self.policies}
            ),
            policy_names=frozenset(names),
            grants=tuple(grants),
        )

    def _policy_name(self, policy: str) -> str:
        kind = str(self.tree.at(("Resources", policy, "Type")))
        return _one(self.evaluation.value(("Resources", policy, "Properties", _POLICIES[kind]))) or policy

    def _attachments(self, policy: str) -> tuple[str, frozenset[str], str]:
        """A policy of its own, the roles that it names, and how roles name it."""
        loc: Loc = ("Resources", policy, "Properties")
        roles = _texts(self.evaluation.value((*loc, "Roles"))) | _texts(self.evaluation.value((*loc, "RoleName")))
        return policy, roles, _one(self.evaluation.plain({"Ref": policy}))

    def _trusts(self, loc: Loc) -> Iterator[Trust]:
        for statement, place in self._statements(loc):
            if statement.get("Effect") != "Allow":
                continue
            given = "*" if "NotPrincipal" in statement else statement.get("Principal")
            principals = given if isinstance(given, dict) else {"AWS": given}
            for kind, who in principals.items():
                for principal in sorted(_texts(who)):
                    yield _trust(str(kind), principal, statement.get("Condition"), place)

    def _grants(self, loc: Loc) -> Iterator[Grant]:
        for statement, place in self._statements(loc):
            actions = _texts(statement.get("Action"))
            if "NotAction" in statement:
                actions |= {"*"}
            for action in sorted(actions):
                yield Grant(
                    action=action.lower(),
                    allowed=statement.get("Effect") == "Allow",
                    conditional=bool(statement.get("Condition")),
                    everywhere="*" in _texts(statement.get("Resource")) or "NotResource" in statement,
                    place=place,
                )

    def _statements(self, loc: Loc) -> Iterator[tuple[dict[str, Any], Place]]:
        """The statements of a policy document, which may be a text, too."""
        loc = self.evaluation.settled(loc)
        document = self.evaluation.value(loc) if "Statement" not in _keys(self.tree.at(loc)) else None
        if isinstance(document, str):
            for statement in _statements_of(document):
                yield statement, self._at(loc)
            return
        for each in self.evaluation.items((*loc, "Statement")):
            statement = self.evaluation.value(each)
            if isinstance(statement, dict):
                yield statement, self._at(each)

    def _others(self) -> Iterator[OtherResource]:
        known = {"AWS::IAM::Role", "AWS::IAM::OIDCProvider", *_POLICIES}
        for name in self.made:
            kind = str(self.tree.at(("Resources", name, "Type")))
            if kind not in known:
                runtime = self.evaluation.value(("Resources", name, "Properties", "Runtime"))
                place = self._at(("Resources", name))
                yield OtherResource(kind=kind, logical_id=name, runtime=_one(runtime), place=place)

    def _at(self, loc: Loc) -> Place:
        return _place(self.tree, loc)


def _trust(kind: str, principal: str, condition: Any, place: Place) -> Trust:
    """A statement of trust; of a provider's ARN its host is kept."""
    host = principal.partition(":oidc-provider/")[2] if kind == "Federated" else ""
    compared: dict[str, frozenset[str]] = {}
    for operator, keys in (condition if isinstance(condition, dict) else {}).items():
        if operator in _COMPARISONS and isinstance(keys, dict):
            for key, wanted in keys.items():
                compared[key.lower()] = compared.get(key.lower(), frozenset()) | _texts(wanted)
    return Trust(
        kind=kind,
        principal=host or principal,
        audiences=compared.get(f"{host}:aud".lower(), frozenset()),
        subjects=compared.get(f"{host}:sub".lower(), frozenset()),
        session_names=compared.get("sts:rolesessionname", frozenset()),
        external_ids=compared.get("sts:externalid", frozenset()),
        place=place,
    )


def _statements_of(text: str) -> Iterator[dict[str, Any]]:
    """The statements of a document that is written as JSON text; none where it is not JSON."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    found = document.get("Statement") if isinstance(document, dict) else None
    yield from (each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict))


def _keys(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def _texts(value: Any) -> frozenset[str]:
    """One text or a list of them."""
    items = value if isinstance(value, list) else [value]
    return frozenset(str(item) for item in items if isinstance(item, str | int) and not isinstance(item, bool))


def _one(value: Any) -> str:
    return value if isinstance(value, str) else ""
