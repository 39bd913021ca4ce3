"""The pictures of the report: `make pictures` makes each, a page shows each, and without a browser it says so."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from tests.browser.chromium import find_chromium, lacking
from tests.browser.pictures import IMAGES, PICTURES

ROOT = Path(__file__).parents[2]
SHOWING = (ROOT / "README.md", ROOT / "docs" / "guides" / "report.md")


def test_each_picture_is_made_from_the_demo_and_shown_somewhere() -> None:
    shown = {
        (page.parent / link).resolve()
        for page in SHOWING
        for link in re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    made = {(IMAGES / each.name).resolve() for each in PICTURES}
    assert made == shown == {each.resolve() for each in IMAGES.glob("*.png")}


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_as_large_as_it_is_taken(picture: object) -> None:
    [taken] = [each for each in PICTURES if each is picture]
    head = (IMAGES / taken.name).read_bytes()[:24]
    size, scale = taken.options["viewport"], taken.options["device_scale_factor"]
    assert struct.unpack(">8s8xII", head) == (b"\x89PNG\r\n\x1a\n", size["width"] * scale, size["height"] * scale)


def test_where_no_browser_is_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ROLLCALL_CHROMIUM", raising=False)
    assert find_chromium() is None
    assert lacking()
    monkeypatch.setenv("ROLLCALL_CHROMIUM", "/somewhere/chromium")
    assert find_chromium() == "/somewhere/chromium"
