"""docs/runbook.md and its folder as data, and the tables in the code that they follow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from shared.adapters.aws import refusals as aws
from shared.adapters.azure import reasons
from shared.adapters.diagnosis import Diagnosis, Kind
from shared.adapters.gcp import refusals as gcp
from shared.application import refusals
from shared.application.refusals import Refusal
from shared.domain.findings import KINDS
from shared.domain.instance_failures import FAILURES
from shared.domain.sweep.kinds import SWEEP_KINDS

DOCS = Path(__file__).parents[1] / "docs"
PAGE, ALARMS, PROCEDURES = DOCS / "runbook.md", DOCS / "runbook" / "alarms.md", DOCS / "runbook" / "procedures.md"
DIAGNOSES = [found for module in (reasons, aws, gcp) for found in vars(module).values() if isinstance(found, Diagnosis)]
REFUSALS = [found for found in vars(refusals).values() if isinstance(found, Refusal)]
SWEPT = [kind for kind in SWEEP_KINDS if kind.key not in {found.key for found in KINDS}]  # not what onboarding finds
KEYS = [found.key for table in (DIAGNOSES, FAILURES, REFUSALS, KINDS, SWEPT) for found in table]
PARKED, PASSES, WRONG = "parked", "tried again by itself", "the deployment is wrong"
SETTLES = "a wrong deployment after a quarter of an hour"
ALSO = "others"


def standing() -> dict[str, str]:
    """Key → in one word what becomes of it, as its table says."""
    words = {Kind.TRANSIENT: PASSES, Kind.PERMANENT: PARKED, Kind.CONFIGURATION: WRONG}
    found = dict.fromkeys(KEYS, ALSO)
    found |= {each.key: SETTLES if each.patience_seconds else words[each.kind] for each in DIAGNOSES}
    found |= {each.key: PASSES if each.transient else PARKED for each in REFUSALS}
    return found | {each.key: str(each.severity) for each in SWEPT}


def sections() -> Iterator[tuple[str, list[str]]]:
    """The parts of the page and the keys that have their headings there, in the page's order."""
    for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        keys = re.findall(r"^### (.+)$", part, re.MULTILINE)
        if keys:
            yield part.partition("\n")[0], keys


def headings(page: Path, level: str) -> list[str]:
    """The headings of one level, `##` or `###`."""
    return re.findall(rf"^{level} (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def anchor(heading: str) -> str:
    """What a link to a heading ends with, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-")
