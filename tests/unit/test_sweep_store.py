"""A sweep's documents: whether all slices have ended is asked without listing all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.application.sweep_store import GROUP, SweepStore, list_runs, prune
from shared.domain.sweep.report import SliceResult
from tests.fakes.sweep_store import FakeDocuments

RUN = "20261120T120000Z-00000000"


class Counting(FakeDocuments):
    """Remembers how many names each listing gave."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[int] = []

    def list_names(self, prefix: str) -> Iterator[str]:
        """The names that begin so."""
        names = list(super().list_names(prefix))
        self.listed.append(len(names))
        return iter(names)


@settings(deadline=None)
@given(st.integers(0, 3 * GROUP + 1), st.data())
def test_all_have_ended_when_each_has_a_result(slices: int, data: st.DataObject) -> None:
    lacking = data.draw(st.sets(st.integers(1, slices), max_size=3)) if slices else set()
    store = SweepStore(FakeDocuments(), RUN)
    for number in range(1, slices + 1):
        if number not in lacking:
            store.put_result(SliceResult(number=number))
    just = data.draw(st.integers(0, slices))
    assert store.have_all_ended(slices, just=just) == (not lacking)


@pytest.mark.parametrize("slices", [2 * GROUP, 20 * GROUP])
def test_the_end_of_a_slice_costs_one_short_listing_however_many_there_are(slices: int) -> None:
    documents = Counting()
    store = SweepStore(documents, RUN)
    for number in range(1, slices + 1):
        store.put_result(SliceResult(number=number))
        ended = store.have_all_ended(slices, just=number)
        assert ended == (number == slices)
    assert max(documents.listed) <= GROUP
    assert len(documents.listed) <= slices + 2 * slices / GROUP
    assert [each.number for each in store.results(slices)] == list(range(1, slices + 1))
    assert store.ended() == frozenset(range(1, slices + 1))


def test_one_slice_makes_the_report_as_often_as_its_message_comes_back() -> None:
    store = SweepStore(FakeDocuments(), RUN)
    assert [store.may_report(number) for number in (7, 8, 7, 9)] == [True, False, True, False]


def test_runs_are_listed_and_forgotten_without_a_look_at_what_the_others_hold() -> None:
    documents = Counting()
    runs = [f"202611{day:02d}T120000Z-00000000" for day in range(1, 11)]
    for run in runs:
        for number in range(1, 51):
            SweepStore(documents, run).put_result(SliceResult(number=number))
        documents.put(f"reports/{run}.json", b"{}")
        documents.put(f"summaries/{run}.json", b"{}")
    assert list_runs(documents) == tuple(runs)
    assert documents.listed == []
    assert prune(documents, runs[2]) == 2 * 52
    assert documents.listed == [50, 50, 10, 10]
    assert list_runs(documents) == tuple(runs[2:])
    for folder in ("reports/", "summaries/"):
        assert sorted(documents.list_names(folder)) == [f"{folder}{run}.json" for run in runs[2:]]
