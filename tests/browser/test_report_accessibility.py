"""What a screen reader is told of the report's page: Chromium's accessibility tree, in the place of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.browser.conftest import PHONE, Opened
from tests.fakes.roll import roll

pytestmark = pytest.mark.timeout(300)
Open = Callable[..., Opened]
TO_OPERATE = {"button", "link", "searchbox", "textbox", "combobox"}


@dataclass(frozen=True)
class Node:
    """One node that a screen reader is told of, with what is in it."""

    role: str
    name: str
    properties: dict[str, Any]
    below: tuple[Node, ...]

    def all(self, *roles: str) -> Iterator[Node]:
        """Itself and what is in it, in their order; of these roles, where any are named."""
        if not roles or self.role in roles:
            yield self
        for each in self.below:
            yield from each.all(*roles)


def told(page: Any) -> Node:
    """The whole tree; what is ignored is left out, and what is in it takes its place."""
    session = page.context.new_cdp_session(page)
    nodes = {each["nodeId"]: each for each in session.send("Accessibility.getFullAXTree")["nodes"]}
    session.detach()

    def below(one: dict[str, Any]) -> Iterator[Node]:
        for child in one.get("childIds", ()):
            found = nodes.get(child)
            if found is None:
                continue
            if found["ignored"]:
                yield from below(found)
            else:
                yield node(found)

    def node(one: dict[str, Any]) -> Node:
        properties = {each["name"]: each["value"].get("value") for each in one.get("properties", ())}
        name = str(one.get("name", {}).get("value", ""))
        return Node(str(one["role"]["value"]), name, properties, tuple(below(one)))

    [root] = [each for each in nodes.values() if "parentId" not in each]
    return node(root)


def named(tree: Node, *roles: str) -> list[str]:
    return [each.name for each in tree.all(*roles)]


def test_landmarks_and_headings_say_where_one_is(opened: Open) -> None:
    tree = told(opened().page)
    for role in ("banner", "main", "contentinfo"):
        assert len(list(tree.all(role))) == 1, role
    assert named(tree, "navigation") == ["Parts of the report"]
    headings = list(tree.all("heading"))
    levels = [each.properties["level"] for each in headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)), levels
    parts = [each.name for each in headings if each.properties["level"] == 2]
    assert len(parts) == 10
    assert set(parts) <= set(named(tree, "region"))
    assert named(tree, "search") == ["Filter: Accounts and projects", "Filter: Findings"]


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_tables_are_tables_with_heads_and_a_name(opened: Open, options: dict[str, Any]) -> None:
    tables = list(told(opened(**options).page).all("table"))
    assert len(tables) == 12
    assert [each.name for each in tables if not each.name] == []
    for table in tables:
        columns = len(list(table.all("columnheader")))
        lines = [row for row in table.all("row") if not list(row.all("columnheader"))]
        assert columns > 1, table.name
        assert lines, table.name
        for row in lines:
            cells = len(list(row.all("cell", "rowheader", "gridcell")))
            hidden = (
                columns - cells if options else 0
            )  # a phone has no room for what is 0 or is said in words beside it
            assert cells == columns - hidden > 1, (table.name, cells)


def test_whatever_can_be_operated_has_a_name_and_pictures_have_one_too(opened: Open) -> None:
    page = opened(hash_=f"#findings?open={roll(300, 260).open[3].identity}")
    tree = told(page.page)
    assert [each.role for each in tree.all(*TO_OPERATE) if not each.name.strip()] == []
    assert [each.role for each in tree.all("image", "img") if not each.name.strip()] == []
    buttons = named(tree, "button")
    assert "CSV of findings as filtered" in buttons
    assert [each for each in buttons if each.startswith("Copy: rollcall ")]
    sorts = ["severity", "finding", "account", "unit", "since"]  # without the signs beside them
    assert [each for each in buttons if each in sorts] == ["account", "unit", "since", *sorts]


def test_the_number_of_findings_is_told_when_a_filter_changes_it(opened: Open) -> None:
    page = opened()
    before = page.status
    page.page.evaluate(
        """() => {
          window.told = [];
          const status = document.querySelector("#findings [role=status]");
          new MutationObserver(() => told.push(status.textContent)).observe(status, { childList: true, subtree: true });
        }"""
    )
    page.page.locator("#findings [name=q]").press_sequentially("template", delay=10)
    page.page.wait_for_function("() => window.told.length")
    page.page.wait_for_timeout(200)
    regions = [each for each in told(page.page).all("status") if each.properties.get("live") == "polite"]
    texts = ["".join(text.name for text in each.all("StaticText")) for each in regions]
    assert page.status != before
    assert page.status in texts
    assert page.page.evaluate("window.told") == [page.status]  # once, and not at each letter


def test_that_nothing_is_found_is_said_and_no_empty_table_is_left(opened: Open) -> None:
    page = opened()
    page.page.fill("#findings [name=q]", "nobody has this word")
    page.wait_for_count(0)
    tree = told(page.page)
    [part] = [each for each in tree.all("region") if each.name == "Findings"]
    assert list(part.all("table")) == []
    assert "No finding is like that." in named(part, "StaticText")


def test_an_opened_finding_is_told_to_be_open(opened: Open) -> None:
    page = opened()
    first = page.page.locator("#findings button.open").first
    name = first.inner_text()

    def state() -> Any:
        [found, *_] = [
            each
            for part in told(page.page).all("region")
            if part.name == "Findings"
            for each in part.all("button")
            if each.name == name
        ]
        return found.properties["expanded"]

    assert state() is False
    first.focus()
    page.page.keyboard.press("Enter")
    assert state() is True
    titles = named(told(page.page), "heading")
    assert {"What was found", "What to do", "Where to look"} <= set(titles)
    page.page.keyboard.press("Enter")
    assert state() is False


def test_who_follows_a_link_into_a_list_goes_on_there(opened: Open) -> None:
    page = opened()
    page.page.locator(".tiles a[href^='#findings']").focus()
    page.page.keyboard.press("Enter")
    page.page.wait_for_function("() => document.activeElement.id === 'findings-title'")
    [focused] = [each for each in told(page.page).all("heading") if each.properties.get("focused")]
    assert focused.name == "Findings"


def test_that_something_was_copied_is_told(opened: Open) -> None:
    page = opened(hash_=f"#findings?open={roll(300, 260).open[3].identity}", permissions=["clipboard-write"])
    page.page.locator("#findings .command button").first.click()
    page.page.wait_for_function("() => document.getElementById('said').textContent === 'Copied'")
    assert "Copied" in named(told(page.page), "StaticText")
