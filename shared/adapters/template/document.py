"""A template's text as a tree with places: YAML with CloudFormation's tags, or JSON.

Source: CloudFormation user guide, "Intrinsic function reference" (short forms) and "Quotas" (1 MB by an address in S3).
"""

from __future__ import annotations

from pathlib import Path

from shared.adapters.policy.yaml_tree import Form, Problem, Tree, UnreadableError, read_yaml

_SHORT = """
And Base64 Cidr Contains EachMemberEquals EachMemberIn Equals FindInMap GetAtt GetAZs If ImportValue Join Length Not Or
RefAll Select Split Sub ToJsonString Transform ValueOf ValueOfAll
"""
FORM = Form(
    noun="template",
    most_bytes=1024 * 1024,
    most_depth=40,
    functions={f"!{name}": f"Fn::{name}" for name in _SHORT.split()} | {"!Ref": "Ref", "!Condition": "Condition"},
)
TRANSFORMING = ("Fn::Transform", "Fn::ForEach")
"""How keys begin that stand for what a transform makes of them; `Fn::ForEach` has a name behind it."""


def read_bounded(path: Path) -> bytes:
    """A file's content, or one byte more than a template may have, which `read_template` refuses. Raises OSError."""
    with path.open("rb") as file:
        return file.read(FORM.most_bytes + 1)


def read_template(content: bytes) -> Tree:
    """Reads a template. Raises UnreadableError where it is none, or could do harm."""
    tree = read_yaml(content, FORM)
    if tree.twice:
        raise UnreadableError(tree.twice[0])
    resources = tree.value.get("Resources") if isinstance(tree.value, dict) else None
    if not isinstance(resources, dict) or not resources:
        raise UnreadableError(Problem(line=1, column=1, message="no template: it has no Resources"))
    for name, resource in resources.items():
        if name.startswith(TRANSFORMING):
            continue
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            line, column = tree.place(("Resources", name), key=True)
            raise UnreadableError(Problem(line=line, column=column, message=f"{name}: a resource without a Type"))
    return tree
