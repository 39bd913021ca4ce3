"""The policy file: what it means, what is refused, and how long it is kept."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from shared.adapters.policy.problems import parse_policy
from shared.adapters.policy.source import CachedPolicySource, FilePolicyStore, Version
from shared.domain.policy import Policy
from shared.domain.profiles import Plan
from shared.errors import ConfigurationError, TransientError
from tests.fakes.clock import FakeClock
from tests.fixtures.read import fixture

FULL = fixture("policies/full.yaml")
SMALLEST = fixture("policies/smallest.yaml")


def test_every_field_of_the_file_reaches_the_policy(policy: Policy) -> None:
    assert policy.organization == "o-exampleorg1"
    assert policy.target.resource_group == "rg-connectors"
    assert policy.default_profile.plans == {Plan.FOUNDATIONAL_CSPM, Plan.DEFENDER_CSPM}
    assert policy.default_profile.scan_interval_hours == 12
    rule = policy.rules[0]
    assert (rule.profile.name, rule.profile.regions) == ("basic", ("eu-west-1", "eu-north-1"))
    assert policy.exclusions.ou_paths == ("/Sandbox", "/Workloads/*/Legacy")
    assert policy.exclusions.tags == {"rollcall": ("exclude",)}
    assert policy.retry_budget_hours == 48


def test_account_ids_stay_strings_with_or_without_a_leading_zero(policy: Policy) -> None:
    assert policy.rules[1].match.account_ids == {"012345678902", "111122223333"}
    assert policy.exclusions.account_ids == {"098765432109"}


def test_the_subject_of_ciem_reaches_the_template_in_lower_case() -> None:
    ciem = "ciem: {application: a, subject: 00000000-0000-4000-8000-0000000000F1}\n"
    text = SMALLEST.replace("default_profile: only", "default_profile: maximum").replace(
        "profiles:", f"{ciem}profiles:"
    )
    parameters = parse_policy(text.encode(), "x").default_profile.stack_parameters()
    assert parameters["CiemSubject"] == "00000000-0000-4000-8000-0000000000f1"


def test_the_hash_is_of_the_bytes_and_not_of_their_meaning() -> None:
    content = SMALLEST.encode()
    assert parse_policy(content, "p").content_hash == hashlib.sha256(content).hexdigest()
    assert parse_policy(content + b"# one word\n", "p").content_hash != hashlib.sha256(content).hexdigest()


def test_the_smallest_policy_has_the_defaults() -> None:
    policy = parse_policy(SMALLEST.encode(), "p")
    assert (policy.rules, policy.retry_budget_hours, policy.uses_tags) == ((), 72.0, False)
    assert policy.default_profile.scan_interval_hours == 24


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 2", "version"),
        ("organization: o-exampleorg1", "organization: exampleorg", "organization"),
        ("default_profile: full", "default_profile: nowhere", "nowhere"),
        ("    profile: basic", "    profile: nowhere", "nowhere"),
        ("scan_interval_hours: 12", "scan_interval_hours: 25", "profiles.full.scan_interval_hours"),
        ("[foundational_cspm, defender_cspm]", "[malware]", "plan 'malware' is not among"),
        ("  location: westeurope", "  locatoin: westeurope", "target.locatoin: an unknown word; is `location` meant?"),
        ("accounts: [098765432109]", "accounts: [98765432109]", "exclusions.accounts[0]"),
        ("ou_paths: [/Sandbox,", "ou_paths: [Sandbox,", "exclusions.ou_paths[0]"),
        ("rollcall: exclude", "rollcall: 1", "exclusions.tags.rollcall"),
        ("budget_hours: 48", "budget_hours: 0", "retry.budget_hours"),
        ("subscription: 00000000-0000-4000-8000-0000000000d1", "subscription: mine", "target.subscription"),
        ("default_profile: full", "default_profile: full\ndefault_profile: basic", "default_profile: given twice"),
        ("version: 1", "version: [", "not YAML"),
        ("version: 1", "version: !!python/object:os.system 1", "tags are not supported"),
    ],
)
def test_a_wrong_field_is_named(old: str, new: str, said: str) -> None:
    assert old in FULL
    with pytest.raises(ConfigurationError, match="policy.yaml") as refused:
        parse_policy(FULL.replace(old, new, 1).encode(), "policy.yaml")
    assert said in refused.value.reason
    assert refused.value.setting == "ROLLCALL_POLICY"


@pytest.mark.parametrize("content", [b"", b"just words", b"- a\n- list", b"\xff\xfe\xfa", b"a: 1\n---\nb: 2"])
def test_what_is_no_policy_at_all_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError):
        parse_policy(content, "policy.yaml")


class CountingStore:
    """Counts how often it is asked, and answers like a store with ETags."""

    def __init__(self, content: str) -> None:
        self.content = content.encode()
        self.asked: list[str | None] = []
        self.error: TransientError | None = None

    def fetch(self, known_etag: str | None) -> Version | None:
        self.asked.append(known_etag)
        if self.error:
            raise self.error
        etag = hashlib.sha256(self.content).hexdigest()
        return None if etag == known_etag else Version(content=self.content, etag=etag)


def test_a_policy_is_kept_for_a_minute_and_then_asked_for_by_etag() -> None:
    store, clock = CountingStore(SMALLEST), FakeClock()
    source = CachedPolicySource(store, origin="p", clock=clock)
    first = source.current()
    clock.advance(59)
    assert source.current() is first
    assert store.asked == [None]
    clock.advance(1)
    assert source.current() is first
    assert store.asked == [None, hashlib.sha256(store.content).hexdigest()]
    clock.advance(30)
    source.current()
    assert len(store.asked) == 2


def test_a_changed_policy_is_used_after_a_minute() -> None:
    store, clock = CountingStore(SMALLEST), FakeClock()
    source = CachedPolicySource(store, origin="p", clock=clock)
    source.current()
    store.content = FULL.encode()
    clock.advance(60)
    assert source.current().retry_budget_hours == 48


def test_a_store_without_answer_is_asked_again_at_the_next_call() -> None:
    store = CountingStore(SMALLEST)
    source = CachedPolicySource(store, origin="p", clock=FakeClock())
    store.error = TransientError("no answer")
    with pytest.raises(TransientError):
        source.current()
    store.error = None
    assert source.current().organization == "o-exampleorg1"


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(SMALLEST, encoding="utf-8")
    store = FilePolicyStore(path)
    first = store.fetch(None)
    assert first is not None
    assert first.content == SMALLEST.encode()
    assert store.fetch(first.etag) is None
    os.utime(path, ns=(1, 1))
    assert store.fetch(first.etag) is not None


def test_a_missing_file_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        FilePolicyStore(tmp_path / "nowhere.yaml").fetch(None)
