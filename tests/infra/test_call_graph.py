"""The walk through the code finds every call of AWS that an entry point can reach, or says that it cannot tell."""

from __future__ import annotations

import pytest

from tests.infra.call_graph import UntypedError, aws_calls

CALLED = "tests.fixtures.called.clients"
STACK_SETS = "shared.adapters.aws.stack_sets.CloudFormationStackSets"


def methods(*entry_points: str) -> set[str]:
    return {each.method for each in aws_calls(*entry_points)}


def test_a_call_of_a_port_goes_on_in_the_adapter_that_is_made_and_in_no_other() -> None:
    assert methods(f"{CALLED}.chosen") == {"list_queues", "get_queue_url"}


def test_a_method_that_is_handed_over_counts_as_called() -> None:
    assert methods(f"{CALLED}.handed_over") == {"list_queues", "list_queue_tags"}


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        ("untyped", "`list_queues` of nobody knows what"),
        ("untold", "nobody gives `operation` as a literal"),
        ("computed", "the operation of get_paginator is no literal"),
        ("waited", "`get_waiter` of OrganizationsClient is no operation"),
    ],
)
def test_what_the_types_do_not_tell_is_refused(function: str, problem: str) -> None:
    with pytest.raises(UntypedError, match=problem):
        aws_calls(f"{CALLED}.{function}")


def test_what_a_use_case_does_not_call_is_not_followed() -> None:
    places = {each.place for each in aws_calls("lambdas.stack_events.handler.handler")}
    assert f"{STACK_SETS}.find_instance" in places
    assert f"{STACK_SETS}.deploy" not in places
    assert f"{STACK_SETS}.deploy" in {each.place for each in aws_calls("lambdas.account_events.handler.handler")}


def test_pages_are_found_where_the_operation_is_an_argument() -> None:
    found = methods("lambdas.reconcile_accounts.handler.handler")
    assert {"list_accounts_for_parent", "list_roots", "list_stack_instances"} <= found


def test_a_function_that_asks_aws_for_nothing_needs_nothing() -> None:
    assert aws_calls("functions.create_connector.create_connector") == frozenset()
