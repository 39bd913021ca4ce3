"""Where the documents of a sweep lie: `runs/<run>/…` while it goes on, then `reports/<run>.json` and `latest.json`.

`summaries/<run>.json` has each report in a few lines.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from shared.application.side_by_side import streamed
from shared.application.sweep_ports import Documents
from shared.domain.report.runs import RunSummary
from shared.domain.sweep.report import RunFacts, SliceResult, SweepReport
from shared.domain.sweep.slices import Slice
from shared.messages.faults import faults_of
from shared.messages.sweep_documents import FACTS, REPORT, RESULT, SLICE, SUMMARY

logger = logging.getLogger(__name__)

LATEST = "latest.json"
REPORTS, SUMMARIES = "reports/", "summaries/"
GROUP = 100
"""Results of so many slices lie in a folder: whether all are there is asked without listing all."""


class SweepStore:
    """One run's documents, and the reports of all."""

    def __init__(self, documents: Documents, run: str) -> None:
        """`run` is the run's name."""
        self._documents = documents
        self.run = run

    def find_facts(self) -> RunFacts | None:
        """What the planner knew; None while the run is not planned."""
        found = self._documents.find(f"runs/{self.run}/facts.json")
        return FACTS.validate_json(found.content) if found is not None else None

    def put_facts(self, facts: RunFacts) -> bool:
        """Writes it once; False where another planner was faster."""
        return self._documents.put(f"runs/{self.run}/facts.json", FACTS.dump_json(facts), over="")

    def find_slice(self, number: int, plan: str) -> Slice | None:
        """What a slice of that plan looks at."""
        found = self._documents.find(f"runs/{self.run}/slices/{plan}/{number}.json")
        return SLICE.validate_json(found.content) if found is not None else None

    def put_slice(self, part: Slice, plan: str) -> None:
        """Writes what a slice looks at."""
        self._documents.put(f"runs/{self.run}/slices/{plan}/{part.number}.json", SLICE.dump_json(part))

    def put_result(self, result: SliceResult) -> None:
        """Writes what a slice came to; the first word counts."""
        self._documents.put(self._name_of_result(result.number), RESULT.dump_json(result), over="")

    def find_result(self, number: int) -> SliceResult | None:
        """What a slice came to; None while it has not ended."""
        found = self._documents.find(self._name_of_result(number))
        return RESULT.validate_json(found.content) if found is not None else None

    def _name_of_result(self, number: int) -> str:
        return f"runs/{self.run}/results/{_group_of(number)}/{number}.json"

    def ended(self) -> frozenset[int]:
        """The numbers of the slices that have a result."""
        names = self._documents.list_names(f"runs/{self.run}/results/")
        return frozenset(int(name.rpartition("/")[2].removesuffix(".json")) for name in names)

    def have_all_ended(self, slices: int, *, just: int = 0) -> bool:
        """Whether each of so many has a result. `just` is one that has ended just now.

        Its own group is looked at first, then the others from the last: as long as slices come in their order, an
        answer costs one short listing, however many there are.
        """
        first = [_group_of(just)] if just else []
        groups = dict.fromkeys([*first, *range(_group_of(slices), -1, -1)]) if slices else {}
        return all(self._has_ended(group, slices) for group in groups)

    def _has_ended(self, group: int, slices: int) -> bool:
        names = self._documents.list_names(f"runs/{self.run}/results/{group}/")
        return sum(1 for _ in names) >= min(GROUP, slices - group * GROUP)

    def may_report(self, number: int) -> bool:
        """Whether it is this slice's part to make the report: the first that asks, and no other.

        Slices that end together would all read every result. Where it is killed, its message comes back.
        """
        name, own = f"runs/{self.run}/reporter.json", str(number).encode()
        if self._documents.put(name, own, over=""):
            return True
        found = self._documents.find(name)
        return found is not None and found.content == own

    def find_reporter(self) -> int:
        """The slice whose part the report is; 0 where none has asked."""
        found = self._documents.find(f"runs/{self.run}/reporter.json")
        return int(found.content) if found is not None else 0

    def results(self, slices: int) -> Iterator[SliceResult]:
        """The results of so many slices, in their order; only a few are in memory."""
        found = streamed(self.find_result, range(1, slices + 1))
        return (each for each in found if each is not None)

    def find_report(self) -> SweepReport | None:
        """The run's report; None while it is not made."""
        found = self._documents.find(f"reports/{self.run}.json")
        return REPORT.validate_json(found.content) if found is not None else None

    def put_report(self, report: SweepReport) -> None:
        """Writes the run's report."""
        self._documents.put(f"reports/{self.run}.json", REPORT.dump_json(report))

    def put_summary(self, summary: RunSummary) -> None:
        """Writes the report in short."""
        self._documents.put(f"{SUMMARIES}{self.run}.json", SUMMARY.dump_json(summary))

    def find_summary(self) -> RunSummary | None:
        """The report in short; None where there is none, or a newer version of ours wrote what cannot be read."""
        found = self._documents.find(f"{SUMMARIES}{self.run}.json")
        try:
            return SUMMARY.validate_json(found.content) if found is not None else None
        except ValueError as error:
            logger.warning("summary_unreadable", extra={"run": self.run, "reason": faults_of(error)})
            return None


def find_latest(documents: Documents) -> tuple[SweepReport | None, str]:
    """The newest report and its version; None and nothing where there was no sweep yet.

    One that cannot be read, as a newer version of ours may write it, counts as none: the next takes its place.
    """
    found = documents.find(LATEST)
    if found is None:
        return None, ""
    try:
        return REPORT.validate_json(found.content), found.version
    except ValueError as error:
        logger.error("latest_unreadable", extra={"reason": faults_of(error)})  # noqa: TRY400 - one line
        return None, found.version


def put_latest(documents: Documents, report: SweepReport, over: str) -> bool:
    """Makes it the newest; False where the newest has changed since it was read."""
    return documents.put(LATEST, REPORT.dump_json(report), over=over)


def prune(documents: Documents, oldest: str) -> int:
    """Deletes what is left of runs whose names sort before `oldest`; how many documents that were."""
    old = [name for run in list_runs(documents) if run < oldest for name in documents.list_names(f"runs/{run}/")]
    for folder in (REPORTS, SUMMARIES):
        old += [name for name in documents.list_names(folder) if name < f"{folder}{oldest}"]
    for name in old:
        documents.delete(name)
    return len(old)


def list_reported(documents: Documents) -> frozenset[str]:
    """The runs that have their report."""
    return _runs_in(documents, REPORTS)


def list_summarized(documents: Documents) -> frozenset[str]:
    """The runs that have a summary."""
    return _runs_in(documents, SUMMARIES)


def _runs_in(documents: Documents, folder: str) -> frozenset[str]:
    return frozenset(name.removeprefix(folder).removesuffix(".json") for name in documents.list_names(folder))


def list_runs(documents: Documents) -> tuple[str, ...]:
    """The runs that something is left of, in the order of time."""
    return tuple(sorted(documents.list_folders("runs/")))


def _group_of(number: int) -> int:
    return (number - 1) // GROUP
