"""What a stack instance needs, and the operation id that follows from it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.identity_provider import may_adopt, parameters_for
from shared.domain.profiles import FOUNDATIONAL, RECOMMENDED
from shared.domain.roles import PROVIDER_HOST
from shared.domain.stack_sets import InstanceState, StackInstance, Step, declared_only, next_step, operation_id
from tests.fakes.clock import NOON

PARAMETERS = {"AgentlessScanner": "true"}
DECLARED = frozenset({"TenantId", "IdentityProvider", *FOUNDATIONAL.stack_parameters()})
PROVIDER_THERE = f"Provider with url https://{PROVIDER_HOST} already exists."
CAUSES = st.lists(st.tuples(st.text("0123456789", min_size=12, max_size=12), st.uuids().map(str)), max_size=5)


def test_an_account_without_an_instance_gets_one() -> None:
    assert next_step(None, PARAMETERS, NOON) is Step.CREATE


@pytest.mark.parametrize(
    ("state", "overrides", "step"),
    [
        (InstanceState.CURRENT, PARAMETERS, Step.NOTHING),
        (InstanceState.CURRENT, {"AgentlessScanner": "false"}, Step.UPDATE),
        (InstanceState.CURRENT, {}, Step.UPDATE),
        (InstanceState.CURRENT, PARAMETERS | {"Other": "x"}, Step.UPDATE),
        (InstanceState.OUTDATED, PARAMETERS, Step.UPDATE),
        (InstanceState.IN_PROGRESS, PARAMETERS, Step.WAIT),
        (InstanceState.IN_PROGRESS, {}, Step.WAIT),
        (InstanceState.FAILED, PARAMETERS, Step.CREATE),
        (InstanceState.SUSPENDED, PARAMETERS, Step.CREATE),
    ],
)
def test_the_present_instance_decides(state: InstanceState, overrides: dict[str, str], step: Step) -> None:
    instance = StackInstance(account_id="012345678901", state=state, parameters=overrides)
    assert next_step(instance, PARAMETERS, NOON) is step


@given(
    declared=st.frozensets(st.sampled_from("abcd")),
    wanted=st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["true", "false"])),
    before=st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["true", "false"])),
    drops=st.booleans(),
)
def test_whatever_a_template_declares_one_update_is_enough(
    declared: frozenset[str], wanted: dict[str, str], before: dict[str, str], drops: bool
) -> None:
    """Also where AWS goes on showing overrides of an earlier template."""
    sent = declared_only(wanted, declared)
    leftovers = {} if drops else {name: value for name, value in before.items() if name not in declared}
    instance = StackInstance(account_id="012345678901", state=InstanceState.CURRENT, parameters=leftovers | sent)
    assert next_step(instance.as_declared(declared), sent, NOON) is Step.NOTHING


def test_an_override_of_a_declared_parameter_that_no_profile_sets_is_taken_back() -> None:
    declared = frozenset({"AgentlessScanner", "TenantId"})
    parameters = PARAMETERS | {"TenantId": "x"}
    instance = StackInstance(account_id="012345678901", state=InstanceState.CURRENT, parameters=parameters)
    assert next_step(instance.as_declared(declared), declared_only(PARAMETERS, declared), NOON) is Step.UPDATE


@pytest.mark.parametrize(("seconds", "step"), [(-1, Step.CREATE), (0, Step.GIVE_UP), (60, Step.GIVE_UP)])
def test_an_instance_that_failed_since_the_event_is_not_tried_for_it_again(seconds: int, step: Step) -> None:
    tried = NOON + timedelta(seconds=seconds)
    instance = StackInstance(
        account_id="012345678901", state=InstanceState.FAILED, parameters=PARAMETERS, tried_at=tried
    )
    assert next_step(instance, PARAMETERS, NOON) is step


def failed(parameters: dict[str, str], reason: str = PROVIDER_THERE) -> StackInstance:
    return StackInstance(
        account_id="012345678901", state=InstanceState.FAILED, parameters=parameters, reason=reason, tried_at=NOON
    )


def test_an_instance_that_failed_by_a_provider_that_is_there_is_created_without_one_exactly_once() -> None:
    """Whenever it failed; failed without one, it waits for another event like any other."""
    before = failed(FOUNDATIONAL.stack_parameters())
    wanted = parameters_for(FOUNDATIONAL, before, DECLARED)
    assert wanted == FOUNDATIONAL.stack_parameters() | {"IdentityProvider": "existing"}
    assert next_step(before, wanted, NOON - timedelta(hours=1)) is Step.CREATE
    after = failed(wanted)
    assert not may_adopt(after, DECLARED)
    assert next_step(after, parameters_for(FOUNDATIONAL, after, DECLARED), NOON - timedelta(hours=1)) is Step.GIVE_UP


@pytest.mark.parametrize(
    ("reason", "declared"),
    [
        (PROVIDER_THERE, DECLARED - {"IdentityProvider"}),
        ("ResourceLogicalId:CspmMonitorAws, ResourceStatusReason:CspmMonitorAws already exists.", DECLARED),
        ("Provider with url https://sts.windows.net/11111111-2222-4333-8444-555555555555/ already exists.", DECLARED),
        ("", DECLARED),
    ],
    ids=["template-without-it", "a-role", "another-provider", "no-reason"],
)
def test_nothing_else_is_adopted(reason: str, declared: frozenset[str]) -> None:
    before = failed(FOUNDATIONAL.stack_parameters(), reason)
    wanted = parameters_for(FOUNDATIONAL, before, declared)
    assert "IdentityProvider" not in wanted
    assert next_step(before, wanted, NOON) is Step.GIVE_UP


@pytest.mark.parametrize("state", InstanceState)
def test_what_uses_a_provider_that_was_there_goes_on_doing_so(state: InstanceState) -> None:
    parameters = FOUNDATIONAL.stack_parameters() | {"IdentityProvider": "existing"}
    adopted = StackInstance(account_id="012345678901", state=state, parameters=parameters)
    wanted = parameters_for(RECOMMENDED, adopted, DECLARED)
    assert wanted == RECOMMENDED.stack_parameters() | {"IdentityProvider": "existing"}
    assert parameters_for(FOUNDATIONAL, adopted, DECLARED) == parameters


@given(causes=CAUSES, data=st.data())
def test_the_same_accounts_and_events_make_the_same_operation(
    causes: list[tuple[str, str]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(causes))
    made = operation_id("roles:1", causes, update=False)
    assert operation_id("roles:1", shuffled, update=False) == made
    assert re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9]{0,127}", made)


def test_another_event_account_stack_set_or_kind_makes_another_operation() -> None:
    made = {
        operation_id("roles:1", [("012345678901", "e1")], update=False),
        operation_id("roles:1", [("012345678901", "e2")], update=False),
        operation_id("roles:1", [("012345678902", "e1")], update=False),
        operation_id("roles:2", [("012345678901", "e1")], update=False),
        operation_id("roles:1", [("012345678901", "e1")], update=True),
    }
    assert len(made) == 5
