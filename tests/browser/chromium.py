"""The browser of the tests and of the pictures: where it is, and how it is started.

Playwright is in the dependency group `browser`, and in no requirement file: docs/guides/report.md.
"""

from __future__ import annotations

import importlib.util
import os
import shutil

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The browser's path: ROLLCALL_CHROMIUM, or the first that is installed; None where none is."""
    return os.environ.get("ROLLCALL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def lacking() -> str:
    """What keeps a page from being opened here, with the way out; empty where nothing does."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed: install the dependency group `browser` (docs/guides/report.md)"
    if find_chromium() is None:
        return f"there is no Chromium here ({', '.join(NAMES)}): install one, or name it in ROLLCALL_CHROMIUM"
    return ""
