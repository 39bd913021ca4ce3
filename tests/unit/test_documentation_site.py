"""The documentation is one site: every link leads somewhere, and every page is found from the first one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site import HOME, ROOT, anchors, links, pages, reachable

PAGES = pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page: Path) -> None:
    found = list(links(page))
    assert [target for target, _ in found if not target.exists()] == []
    assert [
        (target.name, anchor)
        for target, anchor in found
        if anchor and target.suffix == ".md" and anchor not in anchors(target)
    ] == []


def test_every_page_of_docs_is_found_from_its_first_page() -> None:
    of_docs = {page for page in PAGES if page.is_relative_to(HOME.parent)}
    assert of_docs - reachable(HOME) == set()


def test_the_pages_at_the_root_lead_to_the_first_page() -> None:
    assert HOME in {target for target, _ in links(ROOT / "README.md")}


def test_the_first_page_names_every_guide_itself() -> None:
    named = {target for target, _ in links(HOME)}
    folders = {HOME.parent, HOME.parent / "guides", HOME.parent / "runbook"}
    assert {page for page in PAGES if page.parent in folders} - named - {HOME} == set()


def test_a_broken_link_a_wrong_anchor_and_a_lost_page_would_be_noticed(tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{name}.md" for name in ("first", "second", "third"))
    first.write_text("# A\n\n[x](second.md#b-c) [y](gone.md) `[no](link.md)`\n\n```\n[no](link.md)\n```\n")
    second.write_text("# `B`, c\n\n## B c\n\n[back](#no)\n")
    third.write_text("# C\n")
    assert list(links(first)) == [(second.resolve(), "b-c"), ((tmp_path / "gone.md").resolve(), "")]
    assert anchors(second) == {"b-c", "b-c-1"}
    assert third not in reachable(first)
