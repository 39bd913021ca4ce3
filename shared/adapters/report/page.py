"""The page itself: the report filled into the template, with its style, its script and its data inside.

The data are the typed report, compressed, so that ten thousand findings are a small file and none of their letters
can be taken for markup. The security policy names style and script by their hashes; nothing else may run or be loaded.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shared.adapters.report import charts
from shared.adapters.report.shown import duration, moment, percent, query
from shared.domain.report.accounts import Unit
from shared.domain.report.roll import RollReport
from shared.domain.sweep.prerequisites import SWEEP_POISON
from shared.domain.visible import shown
from shared.messages.roll_report import report_json

MOST_BYTES = 5_000_000
"""A page is smaller than that, whatever is found; what does not fit is said, and is in the typed data."""
MOST_UNITS = 400
WITHOUT_SCRIPT = 100
"""Findings that can be read where scripts are off."""
_ROOM_FOR_NOTES = 1000
_FOLDER = Path(__file__).parent
_SCRIPTS = ("text.js", "listing.js", "page.js")


@dataclass(frozen=True, kw_only=True)
class Page:
    """HTML, and the policy that goes with it as a header."""

    html: str
    security_policy: str


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What fits of a report: so many of its findings and accounts, as data."""

    findings: int
    accounts: int
    data: str


def page_of(report: RollReport) -> Page:
    """The report as a page."""
    style, script = _style(), _script()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    units, units_left_out = _shown_units(report)
    facts = {
        "report": report,
        "policy": policy,
        "style": Markup(style),  # noqa: S704 - a file of this package
        "script": Markup(script),  # noqa: S704 - the same
        "units": units,
        "units_left_out": units_left_out,
        "without_script": WITHOUT_SCRIPT,
    }
    template = _environment().get_template("page.html.jinja")
    around = len(template.render(**facts, part=_Part(findings=0, accounts=0, data="")).encode())
    html = template.render(**facts, part=_fitting(report, MOST_BYTES - around - _ROOM_FOR_NOTES))
    return Page(html=html, security_policy=f"{policy}; frame-ancestors 'none'")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"moment": moment, "duration": duration, "query": query}
    made.globals |= {"percent": percent, "charts": charts, "sweep_poison": SWEEP_POISON}
    return made


def _finalized(value: object) -> object:
    """Every value on its way into the page; it is escaped after this."""
    return shown(str(value)) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _style() -> str:
    return (_FOLDER / "style.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    return "".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _fitting(report: RollReport, room: int) -> _Part:
    """As much of the report as there is room for: the gravest findings come first, so that the least are left out."""
    findings, accounts = len(report.findings), len(report.accounts)
    while True:
        part = replace(report, findings=report.findings[:findings], accounts=report.accounts[:accounts])
        packed = gzip.compress(report_json(part).encode(), compresslevel=6, mtime=0)
        data = base64.b64encode(packed).decode()
        if len(data) <= room or not (findings or accounts):
            return _Part(findings=findings, accounts=accounts, data=data)
        share = 0.9 * room / len(data)
        if findings:
            findings = int(findings * share)
        else:
            accounts = int(accounts * share)


def _shown_units(report: RollReport) -> tuple[list[tuple[int, Unit]], int]:
    """The tree's lines with their depth, to the depth at which all of a level still fit; and how many are left out."""
    everything = [line for root in report.coverage for line in _lines(root, 0)]
    deepest = max((depth for depth, _ in everything), default=0)
    for most in range(deepest, -1, -1):
        found = [line for line in everything if line[0] <= most]
        if len(found) <= MOST_UNITS:
            return found, len(everything) - len(found)
    return everything[:MOST_UNITS], max(len(everything) - MOST_UNITS, 0)


def _lines(unit: Unit, depth: int) -> Iterator[tuple[int, Unit]]:
    yield depth, unit
    for below in unit.units:
        yield from _lines(below, depth + 1)
