"""The runbook's index and its page of alarms say what the code's tables and infra/ have."""

from __future__ import annotations

import re

import pytest

from tests.infra.runbook_index import BEGIN, END, aws_alarms, azure_alarms, with_index
from tests.runbook import ALARMS, PAGE, headings

NAMES = [name for name, _ in (*aws_alarms(), *azure_alarms())]
PARTS = {
    part.partition("\n")[0]: part for part in re.split(r"^##+ ", ALARMS.read_text(encoding="utf-8"), flags=re.M)[1:]
}


def test_the_index_is_what_tables_alarms_and_headings_make_of_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert with_index(page) == page, "run `make runbook`"


def test_every_alarm_has_its_heading_once_and_there_are_no_others() -> None:
    assert (len(aws_alarms()), len(azure_alarms())) == (18, 6)
    assert sorted(headings(ALARMS, "###")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_alarm_is_explained_to_the_end(name: str) -> None:
    part = PARTS[name]
    for point in ("Means", "First look", "Mends it", "Clears"):
        assert f"- **{point}**:" in part
    assert re.search(r"```sh( cloud-only)?\n +(rollcall|aws) ", part), "no command to look with"
