"""docs/metrics.md names what the code writes, and nothing else; tests/conftest.py sees to the lines of every test."""

from __future__ import annotations

import ast
import logging

from functions.figures import FIGURES
from shared.domain.ledger import Result
from shared.domain.reconciliation import Signal
from shared.domain.sweep.report import Standing
from tests.documented import OURS, PAGE, Undocumented, fields, in_code, phrases, rows

ROOT = PAGE.parents[1]
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
COMPUTED = {f"findings_{each}" for each in Standing} | {
    f"looked_{each}" for each in ("accounts", "projects", "connectors", "machines")
}


def trees() -> list[ast.Module]:
    paths = [path for folder in OURS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def said(tree: ast.Module) -> set[str]:
    """Every phrase that a module gives its logger, or a function that hands it on."""
    found = set()
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        logs = isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS and "logger" in ast.unparse(call.func)
        hands_on = isinstance(call.func, ast.Name) and call.func.id == "_tell"
        if logs or hands_on:
            found |= {
                each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
            }
    return found


def test_the_page_has_every_phrase_and_no_other() -> None:
    assert {phrase for tree in trees() for phrase in said(tree)} == phrases()


def test_the_page_has_no_field_that_nobody_writes() -> None:
    texts = {each.value for tree in trees() for each in ast.walk(tree) if isinstance(each, ast.Constant)}
    words = {*map(str, Signal), *map(str, Standing)}
    assert fields() - texts - words == COMPUTED


def test_the_page_has_the_figures_as_they_are() -> None:
    told = {in_code(row[0])[0]: row for row in rows("name")}
    assert set(told) == {figure.name for figure in FIGURES}
    for figure in FIGURES:
        _, kind, dimensions, lines, says = told[figure.name]
        assert kind == f"{figure.kind}, `{figure.unit}`"
        assert in_code(dimensions) == [*figure.by, *filter(None, [figure.spread_as])]
        assert in_code(lines) == list(figure.phrases)
        assert says


def test_the_page_has_the_figures_of_the_lambda_functions() -> None:
    told: dict[str, set[str]] = {}
    for metrics, service, _ in rows("metric"):
        told.setdefault(service, set()).update(in_code(metrics))
    assert told == {
        "account-events, stack-events": {"readiness_budget_used", *map(str, Result)},
        "reconcile-accounts": {"failed", "reconciled", "runs_completed", *map(str, Signal)},
    }


def test_a_line_that_the_page_does_not_know_is_noticed() -> None:
    handler = Undocumented()
    logger = logging.getLogger("shared.application.onboard")
    for phrase, carried in (("request_handled", "outcome"), ("request_handled", "colour"), ("unheard_of", "outcome")):
        handler.emit(logger.makeRecord(logger.name, logging.INFO, "f", 1, phrase, (), None, extra={carried: "x"}))
    assert handler.found == [
        "shared.application.onboard: request_handled ['colour']",
        "shared.application.onboard: unheard_of []",
    ]
