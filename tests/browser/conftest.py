"""A headless Chromium for the report's page, where one is; elsewhere these tests are skipped, and say so.

Playwright and axe-core are in the dependency group `browser`, and in no requirement file: docs/guides/report.md.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.report.page import page_of
from tests.browser.chromium import FLAGS, find_chromium, lacking
from tests.fakes.roll import HOSTILE, roll

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
_VIOLATIONS = """
  window.violations = [];
  addEventListener("securitypolicyviolation", (event) => {
    violations.push(`${event.violatedDirective} ${event.blockedURI}`);
  });
"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    if reason := lacking():
        pytest.skip(reason)
    playwright: Any = importlib.import_module("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page in the browser, and whatever it complained of: a complaint fails the test."""

    page: Any
    file: Path
    complaints: list[str] = field(default_factory=list)

    def go(self, hash_: str = "") -> None:
        """Opens the file anew and waits until it is drawn."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.file.as_uri()}{hash_}")
        self.page.wait_for_function("() => document.documentElement.dataset.ready")

    @property
    def violations(self) -> list[str]:
        """What the security policy forbade."""
        return list(self.page.evaluate("window.violations"))

    @property
    def findings(self) -> Any:
        """The lines of findings that are drawn."""
        return self.page.locator("#findings tr.line")

    def wait_for_count(self, count: int, part: str = "findings") -> None:
        """Until so many lines are found."""
        said = f"document.querySelector('#{part} [role=status]').textContent"
        self.page.wait_for_function(f"() => {said}.startsWith('{count} ')")

    @property
    def status(self) -> str:
        """What the list says of itself."""
        return str(self.page.locator("#findings [role=status]").inner_text())


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A page by its name, made once."""
    folder = tmp_path_factory.mktemp("pages")
    reports = {
        "usual": lambda: roll(300, 260),
        "hostile": lambda: roll(60, 160, names=HOSTILE),
        "large": lambda: roll(10_000, 10_000),
    }

    def file(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(page_of(reports[name]()).html, encoding="utf-8")
        return path

    return file


@pytest.fixture
def opened(chromium: Any, files: Callable[[str], Path]) -> Iterator[Callable[..., Opened]]:
    """Opens a page; at the end nothing may have been complained of, forbidden or asked of another place."""
    made: list[tuple[Opened, Any]] = []

    def open_(name: str = "usual", *, hash_: str = "", **options: Any) -> Opened:
        context = chromium.new_context(**({"viewport": {"width": 1360, "height": 900}} | options))
        page = context.new_page()
        page.set_default_timeout(20_000)
        one = Opened(page=page, file=files(name))
        page.add_init_script(_VIOLATIONS)
        page.on("console", lambda said: one.complaints.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: one.complaints.append(str(error)))
        page.on("dialog", lambda dialog: _dismiss(one, dialog))
        page.on("request", lambda asked: _note(one, asked.url))
        made.append((one, context))
        if options.get("java_script_enabled", True):
            one.go(hash_)
        else:
            page.goto(one.file.as_uri())
        return one

    yield open_
    for one, context in made:
        scripts = one.page.evaluate("typeof window.violations !== 'undefined'")
        violations = one.violations if scripts else []
        context.close()
        assert (one.complaints, violations) == ([], [])


def _dismiss(one: Opened, dialog: Any) -> None:
    one.complaints.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _note(one: Opened, url: str) -> None:
    if not url.startswith(("file:", "data:", "blob:", "about:")):
        one.complaints.append(f"asked for {url}")
