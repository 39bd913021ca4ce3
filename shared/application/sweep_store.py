"""Where the documents of a sweep lie: `runs/<run>/…` while it goes on, `reports/<run>.json` and `latest.json` after."""

from __future__ import annotations

from collections.abc import Iterator

from shared.application.sweep_ports import Documents
from shared.domain.sweep.report import RunFacts, SliceResult, SweepReport
from shared.domain.sweep.slices import Slice
from shared.messages.sweep_documents import FACTS, REPORT, RESULT, SLICE

LATEST = "latest.json"


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
        self._documents.put(f"runs/{self.run}/results/{result.number}.json", RESULT.dump_json(result), over="")

    def ended(self) -> frozenset[int]:
        """The numbers of the slices that have a result."""
        names = self._documents.list_names(f"runs/{self.run}/results/")
        return frozenset(int(name.rpartition("/")[2].removesuffix(".json")) for name in names)

    def results(self) -> Iterator[SliceResult]:
        """All results, one after the other, in the order of their numbers."""
        for number in sorted(self.ended()):
            found = self._documents.find(f"runs/{self.run}/results/{number}.json")
            if found is not None:
                yield RESULT.validate_json(found.content)

    def find_report(self) -> SweepReport | None:
        """The run's report; None while it is not made."""
        found = self._documents.find(f"reports/{self.run}.json")
        return REPORT.validate_json(found.content) if found is not None else None

    def put_report(self, report: SweepReport) -> None:
        """Writes the run's report."""
        self._documents.put(f"reports/{self.run}.json", REPORT.dump_json(report))


def find_latest(documents: Documents) -> tuple[SweepReport | None, str]:
    """The newest report and its version; None and nothing where there was no sweep yet."""
    found = documents.find(LATEST)
    return (REPORT.validate_json(found.content), found.version) if found is not None else (None, "")


def put_latest(documents: Documents, report: SweepReport, over: str) -> bool:
    """Makes it the newest; False where the newest has changed since it was read."""
    return documents.put(LATEST, REPORT.dump_json(report), over=over)


def prune(documents: Documents, oldest: str) -> int:
    """Deletes what is left of runs whose names sort before `oldest`; how many documents that were."""
    old = [
        name
        for prefix in ("runs/", "reports/")
        for name in documents.list_names(prefix)
        if name.split("/")[1].removesuffix(".json") < oldest
    ]
    for name in old:
        documents.delete(name)
    return len(old)


def list_runs(documents: Documents) -> tuple[str, ...]:
    """The runs that something is left of, in the order of time."""
    return tuple(sorted({name.split("/")[1] for name in documents.list_names("runs/")}))
