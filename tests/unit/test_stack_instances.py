"""What a stack instance needs, and the operation id that follows from it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.stack_sets import InstanceState, StackInstance, Step, declared_only, next_step, operation_id
from tests.fakes.clock import NOON

PARAMETERS = {"AgentlessScanner": "true"}
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
    failed = StackInstance(account_id="012345678901", state=InstanceState.FAILED, parameters=PARAMETERS, tried_at=tried)
    assert next_step(failed, PARAMETERS, NOON) is step


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
