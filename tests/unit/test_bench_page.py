"""The benchmarks' page, charts and runner: what is not met is seen, and the page is what the results make it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from bench import page, run
from bench.chart import figure, svg
from bench.result import Bar, Chart, Result, Table, Target

MET = Target(what="429s of all PUTs", value=0.4, direction="at most", limit=1, unit="%")
MISSED = replace(MET, value=1.2)
CIRCUMSTANCES = {
    "small": False,
    "measured_at": "2026-11-26T10:00:00Z",
    "commit": "0000000",
    "processors": 2,
    "processor": "made up",
    "memory_gb": 8,
    "python": "3.11.9",
    "load_before": 0.1,
}


def document(*targets: Target, **rest: Any) -> dict[str, Any]:
    result = Result(
        name="burst",
        title="A burst",
        what="Many at once.",
        how=("With seed 7.",),
        tables=[Table(title="Figures", head=("accounts", "s"), rows=[("1,000 | all", 1234.5)])],
        chart=Chart(
            title="Time <of> a burst", unit="s", bars=[Bar(label="one & all", value=20.0, mark=18.0)], mark="bound"
        ),
        targets=targets,
    )
    return CIRCUMSTANCES | asdict(result) | rest


def latest(folder: Path, **results: Any) -> Path:
    path = folder / "latest.json"
    path.write_text(json.dumps({"schema": run.SCHEMA, "results": results}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("value", "direction", "met"),
    [(1.0, "at most", True), (1.01, "at most", False), (0.9, "at least", True), (0.89, "at least", False)],
)
def test_a_target_is_met_up_to_its_limit_and_no_further(value: float, direction: Any, met: bool) -> None:
    limit = 1.0 if direction == "at most" else 0.9
    assert Target(what="x", value=value, direction=direction, limit=limit).is_met is met


def test_the_page_tells_each_target_whether_it_is_met(tmp_path: Path) -> None:
    text = page.documents(latest(tmp_path, burst=document(MET, MISSED)))["performance.md"]
    assert "| [A burst](#a-burst) | 429s of all PUTs: at most 1 % | 0.4 % | met |" in text
    assert "| [A burst](#a-burst) | 429s of all PUTs: at most 1 % | 1.2 % | **not met** |" in text
    assert "| 1,000 \\| all | 1,234 |" in text
    assert "2 processors (made up), 8 GB, Python 3.11.9, load 0.1" in text


def test_the_page_names_the_measures_that_it_has_no_figures_of(tmp_path: Path) -> None:
    text = page.documents(latest(tmp_path, burst=document(MET)))["performance.md"]
    [line] = [each for each in text.splitlines() if each.startswith("Not run in full so far")]
    assert "`sweep`" in line
    assert "`burst`" not in line


def test_a_chart_is_an_image_that_is_told_in_words_and_escapes_its_labels() -> None:
    root = ET.fromstring(svg(document()["chart"]))  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{space}title") == "Time <of> a burst"
    assert root.findtext(f"{space}desc") == "one & all: 20 s, bound: 18"
    bar, mark = root.findall(f"{space}rect")[1], root.find(f"{space}line")
    assert mark is not None
    assert float(mark.attrib["x1"]) - 250 == pytest.approx(float(bar.attrib["width"]) * 18 / 20, abs=0.1)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (0.01234, "0.0123"), (3, "3"), (20.0, "20"), ("a", "a"), (0.00001, "0.00001"), (99.96, "100")],
)
def test_figures_keep_three_digits_that_count(value: Any, text: str) -> None:
    assert figure(value) == text


def test_a_new_result_replaces_the_older_one_and_the_others_stay(tmp_path: Path) -> None:
    before = latest(tmp_path, sweep=document(MET, title="old"), requests=document(), gone=document())
    found = run.merged({"sweep": document(MET, title="new")}, before)["results"]
    assert list(found) == ["requests", "sweep"]  # what is no measure any more is left out
    assert found["sweep"]["title"] == "new"


@pytest.mark.parametrize(
    ("targets", "small", "code"),
    [
        ((MET,), False, 0),
        ((MET, MISSED), False, 1),
        ((MET, MISSED), True, 1),
        ((replace(MISSED, timed=True),), True, 0),
        ((replace(MISSED, timed=True),), False, 1),
    ],
)
def test_a_missed_target_fails_the_run_but_a_timed_one_no_short_run(
    targets: tuple[Target, ...], small: bool, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "run", lambda *_, **__: ({"requests": document(*targets)}, []))
    monkeypatch.setattr(run, "LATEST", tmp_path / "latest.json")
    monkeypatch.setattr(run, "write_page", lambda _: None)
    assert run.main(["--only", "requests", *["--small"] * small]) == code
    assert (tmp_path / "latest.json").is_file() is not small


def test_a_measure_that_ends_without_a_result_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "run", lambda *_, **__: ({}, ["requests (exit 1)"]))
    assert run.main(["--only", "requests", "--small"]) == 1
    assert "FAILED  requests (exit 1)" in capsys.readouterr().out


def test_an_unknown_measure_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["--only", "nothing"])
    assert ended.value.code == 2


def test_the_page_is_what_the_latest_results_make_it() -> None:
    assert page.main(["--check"]) == 0, "python -m bench.page"
