"""What the reader of policy files keeps out, where it says that something is wrong, and what it keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.policy.document import PolicyDocument
from shared.adapters.policy.limits import MOST_BYTES
from shared.adapters.policy.problems import check_policy, parse_policy
from shared.adapters.policy.yaml_tree import (
    MOST_DEPTH,
    MOST_PROBLEMS,
    MOST_VALUES,
    UnreadableError,
    read_yaml,
)
from shared.domain.accounts import Provider
from shared.domain.policy import Mode
from tests.fixtures.read import fixture
from tests.own_time import own_time

SMALLEST = fixture("policies/smallest.yaml").encode()
BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    f"{chr(letter)}: &{chr(letter)} [{', '.join([f'*{chr(letter - 1)}'] * 9)}]\n".encode() for letter in range(98, 122)
)
HOSTILE = {
    "alias bomb": (BOMB, "1:4: anchors and aliases are not supported; write it out"),
    "alias of itself": (b"a: &a\n  b: *a\n", "1:4: anchors and aliases"),
    "python object": (b"version: !!python/object/apply:os.system [true]\n", "1:10: tags are not supported"),
    "own tag": (b"version: !secret 1\n", "1:10: tags are not supported: !secret"),
    "binary": (b"version: !!binary aGk=\n", "1:10: tags are not supported"),
    "deep flow": (b"a: " + b"[" * 100_000, f"1:28: nested deeper than {MOST_DEPTH} levels"),
    "deep mapping": (b"{a: " * 50_000, f"nested deeper than {MOST_DEPTH} levels"),
    "deep blocks": (b"".join(b" " * n + b"a:\n" for n in range(500)), f"nested deeper than {MOST_DEPTH} levels"),
    "many values": (b"[" + b"1," * 60_000 + b"]", f"more than {MOST_VALUES} values, which no policy has"),
    "long key": (b"a: 1\n" + b"k" * 300 + b": 1\n", "2:1: a key of more than 256 letters"),
    "50 MB": (bytes(50_000_000), "1:1: larger than 512 KiB, which no policy is"),
    "control characters": (b"version: 1\nname: \x07\x1b[2J\n", "2:7: not YAML: control characters are not allowed"),
    "NUL": (b"version: 1\n\x00", "2:1: not YAML: control characters are not allowed"),
    "two documents": (b"version: 1\n---\nversion: 1\n", "2:1: a second document; a policy is one"),
    "no UTF-8": (b"version: 1\nname: \xff\xfe\n", "2:7: not YAML: invalid leading UTF-8 octet"),
    "key that is a list": (b"? [a, b]\n: 1\n", "1:3: a key has to be text"),
    "merge key of an alias": (b"a: &a {b: 1}\nc: {<<: *a}\n", "1:4: anchors and aliases"),
    "left open": (b"version: 1\ntarget: {a: [b\n", "not YAML:"),
    "tab": (b"target:\n\tlocation: x\n", "2:1: not YAML:"),
}

LOADED = 3.0
"""Seconds. On a computer that does nothing else all of these take less than one; squares would take minutes."""


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_yaml_is_refused_before_anything_is_made_of_it(name: str) -> None:
    content, said = HOSTILE[name]
    with own_time() as took:
        checked = check_policy(content)
    assert checked.policy is None
    [problem] = checked.problems
    assert said in f"{problem.line}:{problem.column}: {problem.message}"
    assert took.seconds < LOADED


class _Events:
    """Parser events, counted as they are taken."""

    def __init__(self) -> None:
        self.taken = 0

    def wrap(self, parse: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            for event in parse(*arguments, **options):
                self.taken += 1
                yield event

        return counting


@pytest.mark.parametrize(("name", "most"), [("alias bomb", 6), ("deep flow", 40), ("deep mapping", 80), ("50 MB", 0)])
def test_reading_ends_where_the_harm_begins(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    events = _Events()
    monkeypatch.setattr(yaml, "parse", events.wrap(yaml.parse))
    with pytest.raises(UnreadableError):
        read_yaml(HOSTILE[name][0])
    assert events.taken <= most


def test_nothing_is_constructed_of_a_tag(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        monkeypatch.setattr(loader, "construct_object", lambda *_: built.append("object"))
    assert check_policy(HOSTILE["python object"][0]).policy is None
    assert check_policy(SMALLEST).policy is not None
    assert built == []


FREE = SMALLEST.replace(b"profiles:", b"#").replace(b"default_profile: only", b"") + b"\n"
PLACE = b"{subscription: 00000000-0000-4000-8000-0000000000d2, resource_group: other, location: northeurope}"
LARGE = {
    "rules": b"rules:\n" + b"".join(b"  - {match: {names: [n%d]}, profile: recommended}\n" % n for n in range(9000)),
    "one rule again and again": b"rules:\n" + b"  - {match: {names: [n]}, profile: recommended}\n" * 9000,
    "accounts": b"exclusions: {accounts: ['%s']}\nrules:\n  - {match: {accounts: ['%s']}, profile: recommended}\n"
    % tuple(b"','".join(b"%012d" % n for n in range(start, start + 15_000)) for start in (0, 20_000)),
    "unknown words": b"".join(b"key%d: 1\n" % n for n in range(43_000)),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_files_take_time_in_proportion(name: str) -> None:
    content = FREE + LARGE[name]
    assert MOST_BYTES * 0.8 < len(content) <= MOST_BYTES
    with own_time() as took:
        check_policy(content)
    assert took.seconds < 5  # less than one on a computer that does nothing else; squares take 25


def test_a_long_row_of_profiles_is_refused_where_it_gets_too_long() -> None:
    row = "".join(f"  p{n}: {{extends: p{n + 1}}}\n" for n in range(3000))
    checked = check_policy(FREE + f"profiles:\n{row}  p3000: {{}}\n".encode())
    assert checked.policy is None
    told = [problem for problem in checked.errors if problem.message.endswith("extends more than 10 in a row")]
    assert len(told) == MOST_PROBLEMS
    assert checked.errors[-1].message == "and 1992 more problems"


TARGETS_AND_RULES = b"targets:\n%srules:\n%s" % (
    b"".join(b" t%d: {}\n" % n for n in range(8000)),
    b"- {target: x}\n" * 8000,
)


@pytest.mark.parametrize(
    "rest",
    [
        TARGETS_AND_RULES,
        b"rules: [" + b"1," * 40_000 + b"1]\n",
        b"rules: [" + b"1," * 200_000 + b"1]\n",
        b"".join(b"k%d: 1\n" % n for n in range(40_000)),
        b"profiles:\n" + b"".join(b" p%d: {extends: p%d}\n" % (n, n + 1) for n in range(9000)),
        b"x: {y: {z: {%s}}}\n" % (b"a: 1, " * 40_000),
        b"targets: {%s: {%s}}\n" % (b"long" * 30_000, b"".join(b"k%d: 1, " % n for n in range(9000))),
    ],
    ids=["targets and rules", "numbers", "many numbers", "words", "profiles", "twice", "below a long key"],
)
def test_a_file_full_of_mistakes_is_refused_within_a_second_and_in_a_few_words(rest: bytes) -> None:
    with own_time() as took:
        checked = check_policy(FREE + rest)
    assert took.seconds < LOADED
    assert checked.policy is None
    assert len(checked.problems) <= MOST_PROBLEMS + 1
    assert sum(len(problem.message) for problem in checked.problems) < 500_000


def test_of_too_many_problems_the_first_are_told_and_the_others_counted() -> None:
    checked = check_policy(FREE + b"".join(b"k%d: 1\n" % n for n in range(1500)))
    first = FREE.count(b"\n") + 1
    assert [problem.line for problem in checked.problems[:-1]] == list(range(first, first + MOST_PROBLEMS))
    last = checked.problems[-1]
    assert (last.line, last.message, last.is_error) == (first + MOST_PROBLEMS, "and 500 more problems", True)


def test_warnings_do_not_push_errors_out() -> None:
    targets = b"".join(b"  t%d: %s\n" % (n, PLACE) for n in range(1200))
    checked = check_policy(FREE + b"targets:\n" + targets + b"unknown: 1\n")
    assert [problem.message for problem in checked.errors] == ["unknown: an unknown word"]
    assert checked.problems[-1].message == "unknown: an unknown word"
    assert "and 201 more problems" in {problem.message for problem in checked.problems}


def test_of_many_names_the_first_are_told_and_the_others_counted() -> None:
    targets = b"".join(b"  t%02d: %s\n" % (n, PLACE) for n in range(12))
    rule = b"rules: [{match: {names: [a]}, profile: recommended, target: x}]\n"
    [problem] = check_policy(FREE + b"targets:\n" + targets + rule).errors
    assert problem.message.endswith("not among t00, t01, t02, t03, t04, t05, t06, t07, t08, t09, … and 2 more")


def test_ten_mistakes_are_ten_messages_each_with_its_line() -> None:
    checked = check_policy(fixture("policies/ten-mistakes.yaml").encode())
    assert checked.policy is None
    assert [f"{problem.line}: {problem.message}" for problem in checked.errors] == TEN


TEN = [
    "3: organization: has to match '^o-[a-z0-9]{10,32}$'",
    "8: connectors for AWS and GCP are not available in Azure Government or Azure in China",
    "9: target.colour: an unknown word",
    "13: profiles.own.scan_interval_hours: Input should be less than or equal to 24",
    "15: Defender for Storage does not exist for AWS or GCP; S3 and Cloud Storage are covered by sensitive-data "
    "discovery, which is part of defender_cspm (sensitive_data)",
    "16: profiles.own.plans.servers.sub_plan: Input should be 'P1' or 'P2'",
    "17: profile 'gold' is not among foundational, maximum, own, recommended",
    "20: target 'nowhere' is not among the section `targets`, which is not there",
    "23: exclusions.accounts[0]: has to match '^[0-9]{12}$'",
    "26: deletions.orphaned_machines: has to be true or false",
]


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("profiles: {'a b': {}}", "1:12: profiles.a b: has to match"),
        ("profiles: {a: {agentless_scanning: {exclusion_tags: {'': x}}}}", "1:54: "),
        ("exclusions: {tags: {a: [b, 1]}}", "1:28: exclusions.tags.a[1]: has to be text"),
        ("rules: [{profile: recommended}]", "1:9: rules[0].match: is missing"),
        ("retry: {budget_hours: soon}", "1:23: retry.budget_hours: has to be a number"),
        ("sweep: {orphaned_after_days: 7.5}", "1:30: sweep.orphaned_after_days: has to be a whole number"),
        ("sweep: none", "1:8: sweep: has to be a mapping"),
        ("exclusions: {ou_path: [/a]}", "1:14: exclusions.ou_path: an unknown word; is `ou_paths` meant?"),
    ],
)
def test_a_wrong_form_is_told_at_its_own_place(rest: str, said: str) -> None:
    checked = check_policy(f"{rest}\n".encode() + SMALLEST.replace(b"profiles:", b"# profiles:"))
    told = [f"{each.line}:{each.column}: {each.message}" for each in checked.errors]
    assert [text for text in told if text.startswith(said)], told


# parse∘dump

WORDS = st.text("abcXYZ0123456789-_. :#'\"{}[]*&!|>%@`,?~", min_size=1, max_size=12) | st.sampled_from(
    ["yes", "null", "~", "012345678901", "1e3", "0x1F", "1_000", "12:30", "2026-01-01", "-", "<<", "=", "ä€", "a\nb"]
)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True)
ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
GUIDS = st.uuids().map(str)
TARGETS = st.fixed_dictionaries(
    {
        "subscription": GUIDS,
        "resource_group": st.from_regex(r"[-a-z0-9_.]{1,20}", fullmatch=True),
        "location": st.sampled_from(["westeurope", "West Europe", "eastus2"]),
    }
)
MATCHERS = st.fixed_dictionaries(
    {"accounts": st.lists(ACCOUNTS, min_size=1, max_size=3)},
    optional={
        "provider": st.sampled_from([str(provider) for provider in Provider]),
        "ou_paths": st.lists(WORDS.map(lambda word: f"/{word.replace(chr(10), '')}"), max_size=3),
        "names": st.lists(WORDS, max_size=3),
        "tags": st.dictionaries(WORDS, WORDS | st.lists(WORDS, max_size=3), max_size=3),
    },
)
FLAGS = st.booleans()
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "extends": st.sampled_from(["foundational", "recommended", "maximum"]),
        "plans": st.lists(st.sampled_from(["servers", "containers", "defender_cspm"]), unique=True)
        | st.fixed_dictionaries(
            {},
            optional={
                "servers": FLAGS | st.fixed_dictionaries({"sub_plan": st.sampled_from(["P1", "P2"])}),
                "databases": FLAGS | st.fixed_dictionaries({"rds_threat_protection": FLAGS}),
                "containers": FLAGS | st.fixed_dictionaries({"audit_retention_days": st.integers(1, 3653)}),
            },
        ),
        "scan_interval_hours": st.integers(1, 24),
        "regions": st.lists(st.sampled_from(["eu-west-1", "ap-southeast-2"]), max_size=2),
        "agentless_scanning": st.fixed_dictionaries({"exclusion_tags": st.dictionaries(WORDS, WORDS, max_size=2)}),
        "arc": st.fixed_dictionaries({"enabled": FLAGS, "proxy": st.sampled_from(["", "http://p:3128"])}),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "version": st.just(1),
        "organization": st.from_regex(r"o-[a-z0-9]{10,32}", fullmatch=True),
        "tenant": GUIDS,
        "target": TARGETS,
    },
    optional={
        "mode": st.just(str(Mode.STANDALONE)),
        "targets": st.dictionaries(NAMES, TARGETS, max_size=2),
        "profiles": st.dictionaries(NAMES, PROFILES, max_size=3),
        "rules": st.lists(st.fixed_dictionaries({"match": MATCHERS, "profile": st.just("recommended")}), max_size=3),
        "exclusions": MATCHERS,
        "retry": st.fixed_dictionaries({"budget_hours": st.integers(1, 336) | st.floats(0.5, 336)}),
        "deletions": st.fixed_dictionaries({"orphaned_machines": FLAGS, "most_per_run": st.integers(1, 1000)}),
    },
)


@given(document=DOCUMENTS, flow=st.sampled_from([None, True, False]))
@settings(max_examples=80, deadline=None)
def test_what_is_dumped_is_read_as_the_same_policy(document: dict[str, Any], flow: bool | None) -> None:
    text = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True)
    assert read_yaml(text.encode()).value == document
    policy = parse_policy(text.encode(), "dumped")
    assert policy == replace(PolicyDocument.model_validate(document).to_domain(""), content_hash=policy.content_hash)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["own", "servers", "recommended", "member", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["own", "plans", "ciem"]), inner),
    max_leaves=5,
)


@given(document=DOCUMENTS, path=st.lists(st.integers(0, 30), min_size=1, max_size=6), value=ANYTHING)
@settings(max_examples=300, deadline=None)
def test_whatever_is_put_anywhere_is_used_or_told(document: dict[str, Any], path: list[int], value: Any) -> None:
    broken = json.loads(json.dumps(document))
    place: Any = broken
    for step in path:
        keys = [*place] if isinstance(place, dict) else list(range(len(place)))
        key = keys[step % len(keys)] if keys else "own"
        if not keys or not isinstance(place[key], dict | list) or step == path[-1]:
            break
        place = place[key]
    if isinstance(place, dict):
        place[key if step % 2 else "own"] = value
    else:
        place.append(value)
    checked = check_policy(yaml.safe_dump(broken).encode())
    assert (checked.policy is None) == bool(checked.errors)


@given(content=st.binary(max_size=200) | st.text("a:-[]{}&*!|>#'\"\n \t?,%@`", max_size=120).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_whatever_the_bytes_are_there_is_an_answer(content: bytes) -> None:
    checked = check_policy(content)
    assert checked.policy is None
    assert checked.errors
    assert all(problem.line >= 1 and problem.column >= 1 for problem in checked.problems)
