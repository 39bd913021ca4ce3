"""The documents of a sweep as JSON: its facts, slices, results, report and summary, and what its receivers know.

Unknown fields are ignored.
"""

from __future__ import annotations

from pydantic import TypeAdapter

from shared.domain.notice import Delivery
from shared.domain.report.runs import RunSummary
from shared.domain.sweep.report import RunFacts, SliceResult, SweepReport
from shared.domain.sweep.slices import Slice

FACTS: TypeAdapter[RunFacts] = TypeAdapter(RunFacts)
SLICE: TypeAdapter[Slice] = TypeAdapter(Slice)
RESULT: TypeAdapter[SliceResult] = TypeAdapter(SliceResult)
REPORT: TypeAdapter[SweepReport] = TypeAdapter(SweepReport)
SUMMARY: TypeAdapter[RunSummary] = TypeAdapter(RunSummary)
DELIVERY: TypeAdapter[Delivery] = TypeAdapter(Delivery)
