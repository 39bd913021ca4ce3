"""What the soak expects, and what it looks for in logs, tested by themselves: `make soak` trusts both."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.soak.log_scan import scan
from tests.soak.model import BIRTHS, QUARANTINE, Connectors, Deed, Member, Model, end_of
from tests.soak.plan import PROCESSES, plan_of


def lived(*deeds: tuple[Deed, str]) -> Member:
    model = Model()
    for deed, unit in deeds:
        model.apply(deed, "one", unit)
    return model.members["one"]


@pytest.mark.parametrize(
    ("deeds", "states", "connectors"),
    [
        ([(Deed.JOIN, "")], {"connected"}, Connectors.OURS),
        ([(Deed.APPEAR, ""), (Deed.SLIP, "/Workloads/Production")], {"connected"}, Connectors.OURS),
        ([(Deed.JOIN, ""), (Deed.MOVE, QUARANTINE)], {"excluded"}, Connectors.PERHAPS),
        ([(Deed.JOIN, ""), (Deed.TAG, "")], {"excluded"}, Connectors.PERHAPS),
        ([(Deed.JOIN, ""), (Deed.TAG, ""), (Deed.UNTAG, "")], {"connected"}, Connectors.OURS),
        ([(Deed.JOIN, ""), (Deed.CLOSE, "")], {"departed"}, Connectors.PERHAPS),
        ([(Deed.JOIN, ""), (Deed.TAG, ""), (Deed.LEAVE, "")], {"departed"}, Connectors.PERHAPS),
        ([(Deed.RIVAL, "")], {"parked"}, Connectors.THEIRS),
        ([(Deed.RIVAL, ""), (Deed.RIVAL_GOES, "")], {"connected"}, Connectors.OURS),
        ([(Deed.CREATE, "/Workloads"), (Deed.DELETE_PROJECT, "")], {"departed"}, Connectors.PERHAPS),
        (
            [(Deed.CREATE, QUARANTINE), (Deed.DELETE_PROJECT, ""), (Deed.UNDELETE_PROJECT, "")],
            {"excluded"},
            Connectors.PERHAPS,
        ),
    ],
)
def test_the_end_follows_from_the_deeds(
    deeds: list[tuple[Deed, str]], states: set[str], connectors: Connectors
) -> None:
    end = end_of(lived(*deeds))
    assert (set(end.states), end.connectors) == (states, connectors)


def test_who_comes_back_may_find_its_roles_there() -> None:
    member = lived((Deed.JOIN, ""), (Deed.REMOVE, ""), (Deed.RETURN, "/"))
    assert end_of(member).states == {"connected", "deploy_failed"}
    assert end_of(member, "deploy_failed").has_instance is None
    connected = end_of(member, "connected")  # then with all that belongs to it
    assert (connected.connectors, connected.profile, connected.has_instance) == (Connectors.OURS, "foundational", True)


def test_a_closed_account_has_no_instance_and_one_that_left_may_have_one() -> None:
    assert end_of(lived((Deed.JOIN, ""), (Deed.CLOSE, ""))).has_instance is False
    assert end_of(lived((Deed.JOIN, ""), (Deed.LEAVE, ""))).has_instance is None


def test_a_connector_that_was_seen_before_its_account_left_has_to_stay() -> None:
    member = lived((Deed.JOIN, ""), (Deed.CLOSE, ""))
    member.had_connector = True
    assert end_of(member).connectors is Connectors.KEPT


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert plan_of(7, 120) == plan_of(7, 120)
    assert plan_of(7, 120).digest == plan_of(7, 120).digest != plan_of(8, 120).digest


def test_a_longer_plan_has_every_deed_and_every_process_in_it() -> None:
    steps = plan_of(1, 1800).steps
    assert {step.deed for step in steps if step.deed} == set(Deed)
    assert {step.what for step in steps if step.kind == "kill"} == set(PROCESSES)
    assert Counter(step.kind for step in steps).keys() == {"deed", "fault", "kill", "repeat", "stray", "look", "expire"}


def test_every_deed_of_a_plan_is_possible_when_it_comes() -> None:
    model = Model()
    for step in plan_of(3, 900).steps:
        if step.deed is not None:
            assert step.deed in BIRTHS or (step.deed, step.name) in set(model.choices())
            model.apply(step.deed, step.name, step.unit)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("asked with the token ey" + "JhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcGk6Ly94In0.c2lnbmF0dXJl", "jwt"),
        ("Authorization: Bear" + "er 0123456789abcdef0123456789", "bearer"),
        ("POST https://x.example/q?sv=2024&s" + "ig=abcdefghijkl%3D", "signed-url"),
        ("key AS" + "IAIOSFODNN7EXAMPLE", "aws-key-id"),
        ("secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws-secret"),
        ("aws_session_token=FwoGZXIvYXdzEBYaDHqa0AP", "aws-session-token"),
        ("created by join-001@accounts.example", "address"),
        ("the header is 5f0d3b52aa", "secret of the sandbox"),
    ],
)
def test_a_log_with_a_secret_is_found(tmp_path: Path, line: str, kind: str) -> None:
    log = tmp_path / "functions-0.log"
    log.write_text(f"harmless\n{line}\n")
    found = list(scan([log], ["5f0d3b52aa"]))
    assert {(find.kind, find.line) for find in found} == {(kind, 2)}
    assert line not in str(found[0])


def test_what_only_people_of_this_computer_see_is_no_find(tmp_path: Path) -> None:
    log = tmp_path / "sandbox.log"
    log.write_text('File "/ho' + 'me/jane/rollcall/sandbox/serving.py", line 96')
    assert list(scan([log])) == []


def test_what_a_log_may_say_is_not_found(tmp_path: Path) -> None:
    log = tmp_path / "function.log"
    log.write_text(
        "rollcall@mdc-mgmt-proj-518249130711.iam.gserviceaccount.com is asked\n"
        "commit 4e617ef0123456789abcdef0123456789abcdef0 and policy b72f8b14e617ef0123456789abcdef0123456789\n"
        "arn:aws:iam::123456789012:role/rollcall-account-events\n"
    )
    assert list(scan([log])) == []
