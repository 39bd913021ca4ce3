"""Many inputs for one surface: hypothesis makes the programs, the watch says what is wrong, the smallest case is kept.

One example of hypothesis is a program of up to forty bytes, and each edit of it is one input: an example of six edits
tries six inputs, every one a step further from a valid document. Examples come in chunks, each with a seed of its own
out of the campaign's: so many workers make the same inputs as one, and hypothesis' memory of examples stays small.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.edits import Document, Program
from tests.fuzz.shrink import smallest
from tests.fuzz.watch import Verdict, Watch, watching

CHUNK = 2000
"""Inputs; a chunk is the smallest part that is repeated by itself."""


@dataclass(frozen=True)
class Base:
    """A valid document; `tree` is the same as JSON, where it can be written so."""

    name: str
    content: bytes
    tree: bytes | None = None


@dataclass(frozen=True)
class Case:
    """One input: what it was made of, what the surface chooses by itself (a status, a neighbour), and the bytes."""

    base: str
    choice: int
    content: bytes

    def to_json(self) -> str:
        """The case as a fixture; bytes that are no text in Base64."""
        try:
            said = {"content": self.content.decode()}
        except UnicodeDecodeError:
            said = {"content_base64": base64.b64encode(self.content).decode()}
        return json.dumps({"base": self.base, "choice": self.choice, **said}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Case:
        """Reads a fixture."""
        said = json.loads(text)
        plain = said.get("content")
        content = base64.b64decode(said["content_base64"]) if plain is None else plain.encode()
        return cls(base=said["base"], choice=said["choice"], content=content)


class Surface(Protocol):
    """A door through which others' documents come in."""

    name: str

    @property
    def bases(self) -> Sequence[Base]:
        """Valid documents."""

    def take(self, case: Case, watch: Watch) -> str:
        """Brings one input to the product and returns what became of it, in a word or two.

        Raises the product's refusals as they are, WrongError where an oracle of its own says no.
        """


@dataclass
class Found:
    """A kind of failure: the smallest input so far, and how many there were."""

    case: Case
    verdict: Verdict
    count: int = 1


@dataclass
class Result:
    """What a campaign came to."""

    surface: str
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slowest_case: Case | None = None
    found: dict[str, Found] = field(default_factory=dict)

    def add(self, case: Case, verdict: Verdict) -> None:
        """One more input."""
        self.inputs += 1
        self.outcomes[verdict.outcome] += 1
        if verdict.seconds > self.slowest:
            self.slowest, self.slowest_case = verdict.seconds, case
        if not verdict.wrong:
            return
        known = self.found.get(verdict.wrong)
        if known is None:
            self.found[verdict.wrong] = Found(case, verdict)
            return
        known.count += 1
        if len(case.content) < len(known.case.content):
            known.case, known.verdict = case, verdict

    def join(self, other: Result) -> None:
        """What another part of the same campaign came to."""
        self.inputs += other.inputs
        self.outcomes += other.outcomes
        if other.slowest > self.slowest:
            self.slowest, self.slowest_case = other.slowest, other.slowest_case
        for wrong, each in other.found.items():
            known = self.found.setdefault(wrong, each)
            if known is not each:
                known.count += each.count


_SETTINGS = {
    "phases": [Phase.generate],
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}


def run_chunk(surface: Surface, inputs: int, number: int) -> Result:
    """So many inputs, or a few more, by the seed `number`."""
    result = Result(surface.name)
    bases = list(surface.bases)
    trees = [each.tree for each in bases if each.tree is not None]
    with watching() as watch:

        @seed(number)
        @settings(**_SETTINGS, max_examples=inputs)  # type: ignore[arg-type] # one mapping of many types
        @given(st.binary(min_size=6, max_size=40))
        def examples(code: bytes) -> None:
            if result.inputs >= inputs:
                return
            for case in cases(code, bases, trees):
                result.add(case, watch.run(lambda case=case: surface.take(case, watch)))  # type: ignore[misc]

        while result.inputs < inputs:
            examples()
    return result


def cases(code: bytes, bases: Sequence[Base], trees: Sequence[bytes]) -> list[Case]:
    """The inputs of one program."""
    program = Program(code)
    base, choice = program.choose(bases), program.below(65536)
    document = Document(base.content, base.tree, trees)
    made = [Case(base.name, choice, document.content)] if program.below(16) == 0 else []
    while not program.ended:
        document.edit(program)
        made.append(Case(base.name, choice, document.content))
    return made


def chunks(inputs: int, seed_number: int) -> list[tuple[int, int]]:
    """How many inputs by which seed."""
    sizes = [CHUNK] * (inputs // CHUNK) + ([inputs % CHUNK] if inputs % CHUNK else [])
    return [(size, seed_number * 1_000_003 + position) for position, size in enumerate(sizes)]


def minimized(surface: Surface, found: Found) -> Case:
    """The smallest input that is wrong in the same way."""
    with watching() as watch:

        def same(content: bytes) -> bool:
            case = Case(found.case.base, found.case.choice, content)
            return watch.run(lambda: surface.take(case, watch)).wrong == found.verdict.wrong

        return Case(found.case.base, found.case.choice, smallest(found.case.content, same))


def replayed(surface: Surface, file: Path) -> Verdict:
    """What becomes of a case that was kept."""
    case = Case.from_json(file.read_text(encoding="utf-8"))
    with watching() as watch:
        return watch.run(lambda: surface.take(case, watch))
