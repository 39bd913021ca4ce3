"""Policy files: as the check reads them, as the functions take them, and as a profile becomes a connector's body."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import yaml

from shared.adapters.policy.problems import check_policy, parse_policy, profiles_of
from shared.adapters.policy.yaml_tree import MOST_PROBLEMS
from shared.domain.policy import decide
from shared.errors import ConfigurationError
from tests.fixtures.read import account
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch, WrongError, checked_refusal

ROOT = Path(__file__).parents[2]
FILES = ("tests/fixtures/policies/full.yaml", "tests/fixtures/policies/smallest.yaml")
MOST_LETTERS = 8_000


class Policies:
    """Surface: the bytes of a policy."""

    name = "policies"

    @cached_property
    def bases(self) -> Sequence[Base]:
        """The fixtures and every policy of the documents."""
        files = [ROOT / each for each in FILES] + sorted((ROOT / "docs" / "samples").glob("policy.*.yaml"))
        return [Base(path.stem, path.read_bytes(), _as_json(path.read_bytes())) for path in files]

    def take(self, case: Case, watch: Watch) -> str:
        """Both ways of reading agree; what is accepted can be used, what is refused says where and why."""
        checked = check_policy(case.content)
        if len(checked.problems) > MOST_PROBLEMS + 1:
            raise WrongError("problems without end")
        for each in checked.problems:
            if not each.message.strip() or each.line < 1 or each.column < 1 or len(each.message) > MOST_LETTERS:
                raise WrongError("a problem without words, without a place, or without end")
        try:
            policy = parse_policy(case.content, "policy.yaml")
        except ConfigurationError as error:
            if checked.policy is not None or not checked.errors:
                raise WrongError("the check lets pass what the functions refuse") from error
            return checked_refusal(error).split()[0] + " " + checked.errors[0].message.split(":")[0][:20]
        if checked.policy is None or checked.errors:
            raise WrongError("the functions take what the check refuses")
        profiles_of(case.content, "policy.yaml")
        json.dumps(asdict(policy), default=str, allow_nan=False)
        return f"accepted, {decide(policy, account()).verdict}"


def _as_json(content: bytes) -> bytes | None:
    return json.dumps(yaml.load(content, Loader=yaml.BaseLoader)).encode()  # noqa: S506 - every value as text
