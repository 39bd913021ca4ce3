"""What is wrong with a policy file, or worth a second look, each with its line: all of it, not only the first."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from shared.adapters.policy.document import PolicyDocument
from shared.adapters.policy.semantics import semantic_problems
from shared.adapters.policy.yaml_tree import MOST_PROBLEMS, Loc, Problem, Tree, UnreadableError, read_yaml
from shared.domain.policy import Policy
from shared.domain.profiles import Profile
from shared.errors import ConfigurationError

_MOST_TOLD = 5
_NEAR, _LONGEST_WORD, _MOST_HINTED = 0.8, 40, 50
"""How like a word has to be; a file full of mistakes is still told within a second."""


@dataclass(frozen=True, kw_only=True)
class CheckedPolicy:
    """The policy where nothing is wrong with it, and every problem by line."""

    policy: Policy | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps the file from being used."""
        return tuple(problem for problem in self.problems if problem.is_error)


def check_policy(content: bytes) -> CheckedPolicy:
    """Reads a policy file and says everything about it that a person should know."""
    try:
        tree = read_yaml(content)
    except UnreadableError as error:
        return CheckedPolicy(policy=None, problems=(error.problem,))
    document, structural = _validated(tree)
    telling = [*tree.twice, *semantic_problems(tree)]
    explained = {(problem.line, problem.column) for problem in telling if problem.is_error}
    structural = [problem for problem in structural if (problem.line, problem.column) not in explained]
    if document is None and not structural and not explained:
        structural = [Problem(line=1, column=1, message="is no policy")]  # never accepted for want of words
    found = _bounded({*structural, *telling})
    policy = None
    if document is not None and not explained:
        policy = document.to_domain(hashlib.sha256(content).hexdigest())
    return CheckedPolicy(policy=policy, problems=found)


def _bounded(problems: set[Problem]) -> tuple[Problem, ...]:
    """By line; of too many the first, errors before warnings, and how many more there are."""
    ranked = sorted(problems, key=lambda each: (not each.is_error, each.line, each.column, each.message))
    kept, more = ranked[:MOST_PROBLEMS], ranked[MOST_PROBLEMS:]
    if more:
        first = more[0]
        message = f"and {len(more)} more problem{'' if len(more) == 1 else 's'}"
        kept.append(Problem(line=first.line, column=first.column, message=message, is_error=first.is_error))
    return tuple(sorted(kept))


def parse_policy(content: bytes, origin: str) -> Policy:
    """Reads a policy. Raises ConfigurationError that names `origin`, the lines and what is wrong there."""
    checked = check_policy(content)
    if checked.policy is not None:
        return checked.policy
    told = [f"{problem.line}:{problem.column}: {problem.message}" for problem in checked.errors]
    more = len(told) - _MOST_TOLD
    words = "; ".join(told[:_MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")
    raise ConfigurationError(
        f"{origin}: {words}", setting="ROLLCALL_POLICY", remedy="Mend it; `rollcall policy check FILE` shows all."
    )


def profiles_of(content: bytes, origin: str) -> tuple[Policy, dict[str, Profile]]:
    """A policy and every profile that it knows, by name. Raises ConfigurationError as `parse_policy` does."""
    policy = parse_policy(content, origin)
    return policy, PolicyDocument.model_validate(read_yaml(content).value).all_profiles()


def _validated(tree: Tree) -> tuple[PolicyDocument | None, list[Problem]]:
    try:
        return PolicyDocument.model_validate(tree.value), []
    except ValidationError as error:
        return None, list(_structural(error, tree))


def _structural(error: ValidationError, tree: Tree) -> Iterator[Problem]:
    for position, item in enumerate(error.errors(include_url=False, include_context=False, include_input=False)):
        loc = _in_document(item["loc"], tree)
        if loc != item["loc"] and item["type"] in {"bool_type", "model_type"}:
            # A union of `true` and a mapping: a mapping's own errors follow, of anything else one is enough.
            if isinstance(tree.at(loc), dict) or item["type"] == "model_type":
                continue
            item["type"] = "flag_or_parts"
        if item["type"] == "extra_forbidden" and item["loc"][-1:] != loc[-1:]:
            continue  # a plan of the short form, which is no key: `semantic_problems` names it
        about_key = item["type"] in {"extra_forbidden", "missing"} or item["loc"][-1:] == _KEY
        line, column = tree.place(loc[:-1] if item["type"] == "missing" else loc, key=about_key)
        words = _words(item, is_hinted=position < _MOST_HINTED)
        yield Problem(line=line, column=column, message=f"{_dotted(loc) or 'the file'}: {words}")


def _in_document(loc: Loc, tree: Tree) -> Loc:
    """The place without the steps that pydantic adds for the branches of a union; a missing last step is kept."""
    kept: Loc = ()
    loc = loc[:-1] if loc[-1:] == _KEY else loc
    for position, step in enumerate(loc):
        last = position == len(loc) - 1
        if (*kept, step) in tree.values or (last and isinstance(tree.at(kept), dict) and step not in _BRANCHES):
            kept = (*kept, step)
    return kept


def _dotted(loc: Loc) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")


_PLAIN_WORDS = {
    "extra_forbidden": "an unknown word",
    "missing": "is missing",
    "model_type": "has to be a mapping",
    "dict_type": "has to be a mapping",
    "list_type": "has to be a list",
    "string_type": "has to be text",
    "bool_type": "has to be true or false",
    "flag_or_parts": "has to be true, false or a mapping",
    "int_type": "has to be a whole number",
    "float_type": "has to be a number",
}
_KEY = ("[key]",)
"""pydantic's last step where a key, and not its value, is wrong."""
_BRANCHES = ("bool", "literal[True]")


def _words(item: Any, *, is_hinted: bool) -> str:
    if item["type"] == "extra_forbidden" and is_hinted:
        return _PLAIN_WORDS["extra_forbidden"] + _likely(str(item["loc"][-1]))
    plain = _PLAIN_WORDS.get(item["type"]) or str(item["msg"]).removeprefix("Value error, ")
    return plain.replace("String should match pattern", "has to match")


def _likely(word: str) -> str:
    """The word of a policy that was probably meant; nothing where none is near."""
    if len(word) > _LONGEST_WORD:
        return ""
    near = difflib.get_close_matches(word, _every_word() - {word}, n=1, cutoff=_NEAR)
    return f"; is `{near[0]}` meant?" if near else ""


@cache
def _every_word() -> frozenset[str]:
    schema = PolicyDocument.model_json_schema()
    models = (schema, *schema.get("$defs", {}).values())
    return frozenset(word for model in models for word in model.get("properties", {}))
