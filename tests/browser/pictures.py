"""The pictures of the README and of the guide, made from the demo: `make pictures`.

The demo runs as `make demo` runs it, in a folder of its own. Then accounts that were there before are brought on their
way by `rollcall backfill`, some of what is there goes wrong (`weak_spots`), `rollcall sweep` finds it, and the page is
fetched by `rollcall report --output`. A headless Chromium takes the pictures of that file.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.browser.chromium import FLAGS, find_chromium, lacking
from tests.browser.weak_spots import Clouds
from tests.e2e.processes import Command

IMAGES = Path(__file__).parents[2] / "docs" / "images"
PATIENCE_SECONDS = 300.0
DESKTOP = {"viewport": {"width": 1180, "height": 860}, "device_scale_factor": 1.5}
TALLER = {**DESKTOP, "viewport": {"width": 1180, "height": 980}}
PHONE = {
    **{"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True},
    "color_scheme": "dark",
}


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A file of docs/images: what of the page is in it, and how. `opens` is the kind of the finding that is opened."""

    name: str
    link: str = ""
    opens: str = ""
    options: dict[str, Any] = field(default_factory=lambda: dict(DESKTOP))


PICTURES = (
    Picture(name="report.png"),
    Picture(name="report-findings.png", link="#findings?severity=high", opens="connector-unhealthy", options=TALLER),
    Picture(name="report-phone.png", options=PHONE),
)


def main() -> int:
    """Makes all; 2 where there is no browser."""
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    parser.add_argument("--into", type=Path, default=IMAGES, help="the folder of the pictures")
    parser.add_argument("--page", type=Path, help="keep the page in this file, too")
    asked = parser.parse_args()
    if reason := lacking():
        print(f"no picture is made: {reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="rollcall-pictures-") as folder:
        page = Path(folder) / "report.html"
        with demo(Path(folder)) as clouds:
            _say("accounts that were there before: `rollcall backfill`")
            accounts = clouds.plant_accounts()
            _run(Path(folder), "backfill")
            _wait_until_connected(Path(folder), set(accounts.values()))
            _say("some of it goes wrong; `rollcall sweep`")
            clouds.spoil(accounts)
            found = Command(Path(folder), "sweep", "--json", seconds=PATIENCE_SECONDS)
            if found.code not in {0, 1}:  # 1: something was found, as it should be
                raise SystemExit(found.err)
            _run(Path(folder), "report", "--output", str(page))
        if asked.page:
            asked.page.write_bytes(page.read_bytes())
        take(page, asked.into)
    return 0


@contextmanager
def demo(folder: Path) -> Iterator[Clouds]:
    """The demo, played to its end, with its clouds still there."""
    _say("`rollcall demo`")
    _run(folder, "demo", "--accounts", "8", "--projects", "4", "--pace", "0.5", "--keep", "--json")
    try:
        yield Clouds(json.loads((folder / ".sandbox" / "endpoints.json").read_bytes()))
    finally:
        _run(folder, "sandbox", "down")


def take(page: Path, into: Path) -> None:
    """Every picture of the page. A page that complains of anything is not shown to anybody."""
    playwright: Any = importlib.import_module("playwright.sync_api")  # where it is installed
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for picture in PICTURES:
            context = browser.new_context(**picture.options)
            shown, complaints = context.new_page(), list[str]()
            shown.on("console", lambda said, told=complaints: told.append(said.text))
            shown.on("pageerror", lambda error, told=complaints: told.append(str(error)))
            shown.goto(f"{page.as_uri()}{picture.link}")
            shown.wait_for_function("() => document.documentElement.dataset.ready")
            if picture.opens:
                shown.locator("#findings button.open", has_text=picture.opens).first.click()
                shown.evaluate("document.getElementById('findings').scrollIntoView({ behavior: 'instant' })")
            shown.mouse.move(0, 0)
            shown.evaluate("document.activeElement.blur()")
            shown.screenshot(path=into / picture.name)
            context.close()
            if complaints:
                raise SystemExit(f"the page complains: {'; '.join(complaints)}")
            _say(f"{into / picture.name}: {(into / picture.name).stat().st_size // 1000} kB")
        browser.close()


def _wait_until_connected(folder: Path, accounts: set[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        listed = json.loads(_run(folder, "status", "--json", "--state", "connected").out)["accounts"]
        waiting = accounts - {each["hierarchy_identifier"] for each in listed}
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(waiting)} accounts have no connector after {PATIENCE_SECONDS:g} s: see `status`")
        time.sleep(2)


def _run(folder: Path, *arguments: str) -> Command:
    done = Command(folder, *arguments, seconds=PATIENCE_SECONDS)
    if done.code:
        raise SystemExit(f"`rollcall {' '.join(arguments)}` ended with {done.code}: {done.err}")
    return done


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
