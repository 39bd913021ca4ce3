"""Odd inputs for every surface, a few of those that `make fuzz` tries; and that the search finds what is planted."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from shared.errors import PermanentError
from tests.fuzz import watch as watching_module
from tests.fuzz.campaign import Base, Case, Result, cases, chunks, minimized, replayed, run_chunk
from tests.fuzz.odd import PERSON, TOKEN
from tests.fuzz.surfaces import SURFACES
from tests.fuzz.watch import Verdict, Watch, WrongError, watching

INPUTS = int(os.environ.get("ROLLCALL_FUZZ_INPUTS", "300"))
KEPT = sorted(
    path for name in SURFACES for path in (Path(__file__).parents[1] / "fixtures" / "fuzz" / name).glob("*.json")
)
DOCUMENT = json.dumps({"name": "a", "parts": [{"id": "1"}, {"id": "2"}], "time": "2026-11-20T12:00:00Z"}).encode()
logger = logging.getLogger("shared.tests_of_fuzz")


def told(result: Result) -> list[str]:
    return [f"{wrong}\n{each.case.to_json()[:2000]}\n{each.verdict.detail}" for wrong, each in result.found.items()]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # downloads that an answer breaks off
@pytest.mark.parametrize("name", SURFACES)
def test_no_odd_input_of_a_day_crashes_hangs_or_tells(name: str) -> None:
    day = int(time.time() // 86_400)  # other inputs every day, the same for everybody
    result = run_chunk(SURFACES[name](), INPUTS, day)
    assert told(result) == []
    assert result.inputs >= INPUTS
    assert len(result.outcomes) >= 3, "all inputs end alike: they do not get far"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("file", KEPT, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_found_once_is_handled_or_refused(file: Path) -> None:
    verdict = replayed(SURFACES[file.parent.name](), file)
    assert (verdict.wrong, verdict.detail) == ("", "")


def test_cases_of_most_surfaces_are_kept() -> None:
    assert {path.parent.name for path in KEPT} >= SURFACES.keys() - {"tokens"}  # nothing was found there


class Planted:
    """A surface with something wrong in it."""

    name = "planted"

    def __init__(self, does: Callable[[bytes], str]) -> None:
        self._does = does

    @property
    def bases(self) -> Sequence[Base]:
        return [Base("document", DOCUMENT, DOCUMENT)]

    def take(self, case: Case, watch: Watch) -> str:
        return self._does(case.content)


def crashing(content: bytes) -> str:
    return str(json.loads(content)["parts"][0]["id"]) if content[:1] == b"{" and b"parts" in content else "other"


def hanging(content: bytes) -> str:
    while b"2026-11" not in content:
        pass
    return "read"


def telling(content: bytes) -> str:
    logger.info("event_handled", extra={"reason": content.decode("utf-8", "replace")})
    return "read"


def refusing_without_remedy(content: bytes) -> str:
    raise PermanentError("no")


def sleeping(content: bytes) -> str:
    time.sleep(100 if b"name" not in content else 1)
    return "read"


def losing(content: bytes) -> str:
    if b'"2"' not in content:
        raise WrongError("an input was lost")
    return "read"


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (crashing, "crash: KeyError in test_fuzz.py:crashing"),
        (telling, "log: event_handled tells an address as reason"),
        (telling, "log: event_handled tells a token as reason"),
        (telling, "log: event_handled tells more than fits into a line as reason"),
        (refusing_without_remedy, "wrong: PermanentError without a remedy"),
        (sleeping, "sleeps for more than a minute"),
        (losing, "wrong: an input was lost"),
    ],
)
def test_what_is_planted_is_found(planted: Callable[[bytes], str], said: str) -> None:
    result = run_chunk(Planted(planted), 800, 1)
    assert said in result.found


def test_a_hang_is_found_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "SECONDS", 0.05)
    with watching() as watch:
        verdict = watch.run(lambda: hanging(b""))
    assert verdict.wrong == "hang in test_fuzz.py:hanging"
    assert verdict.seconds < 1


def test_what_waits_for_ever_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "MOST_WAITED", 0.05)
    with watching() as watch:
        assert watch.run(lambda: str(threading.Event().wait(30))).wrong.startswith("hang in ")


def test_what_waits_once_is_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching_module, "MOST_WAITED", 0.05)
    waits = [30.0, 0.0]
    with watching() as watch:
        verdict = watch.run(lambda: str(threading.Event().wait(waits.pop(0))))
    assert (verdict.outcome, verdict.wrong) == ("False", "")


def test_a_case_is_made_small_and_stays_wrong_in_the_same_way() -> None:
    surface = Planted(crashing)
    found = run_chunk(surface, 800, 1).found["crash: KeyError in test_fuzz.py:crashing"]
    case = minimized(surface, found)
    assert len(case.content) < len(DOCUMENT) / 2
    with watching() as watch:
        assert watch.run(lambda: surface.take(case, watch)).wrong == found.verdict.wrong


def test_the_same_seed_makes_the_same_inputs_whatever_the_parts() -> None:
    seen: list[list[bytes]] = []
    for _ in range(2):
        inputs: list[bytes] = []

        def keep(content: bytes, inputs: list[bytes] = inputs) -> str:
            inputs.append(content)
            return "kept"

        run_chunk(Planted(keep), 300, 5)
        seen.append(inputs)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 150
    assert chunks(4500, 3) == [(2000, 3_000_009), (2000, 3_000_010), (500, 3_000_011)]


def test_an_input_is_made_of_edits_of_the_tree_and_of_the_text() -> None:
    bases = [Base("document", DOCUMENT, DOCUMENT)]
    programs = [hashlib.sha256(str(number).encode()).digest() for number in range(2000)]
    made = [each.content for code in programs for each in cases(code, bases, [DOCUMENT])]
    read = sum(each[:1] == b"{" for each in made)
    assert 0 < read < len(made)
    assert any(PERSON.encode() in each for each in made)


def test_a_case_survives_being_written_and_read() -> None:
    for content in (b"text", b"\xff\x00", TOKEN.encode(), "ü".encode()):
        case = Case("base", 7, content)
        assert Case.from_json(case.to_json()) == case


def test_alarm_sleep_and_loggers_are_as_before() -> None:
    handler, sleep, handlers = signal.getsignal(signal.SIGALRM), time.sleep, list(logging.getLogger("shared").handlers)
    with watching() as watch:
        watch.run(lambda: "read")
    assert (signal.getsignal(signal.SIGALRM), time.sleep) == (handler, sleep)
    assert logging.getLogger("shared").handlers == handlers


def test_a_verdict_of_a_refusal_is_its_kind_and_key() -> None:
    with watching() as watch:

        def refuse() -> str:
            raise PermanentError("no", remedy="Do it.", key="its-key")

        verdict = watch.run(refuse)
    assert verdict == Verdict(outcome="PermanentError its-key", seconds=verdict.seconds)
