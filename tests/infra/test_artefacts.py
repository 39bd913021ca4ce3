"""What `make build` hands over: repeatable, not too large, licensed, listed, complete and nothing in vain."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from packaging.utils import canonicalize_name
from referencing import Registry, Resource

from artefacts.__main__ import main, refused
from artefacts.alone import SITE_PACKAGES, failure, find_python, import_alone, modules
from artefacts.archive import MOST_UNZIPPED, MOST_ZIPPED, Archive, zip_folder
from artefacts.bill import bill
from artefacts.function_app import admitted, collect
from artefacts.inventory import Component, components, graph, inventory
from artefacts.licences import READ_BY_HAND, is_allowed
from sandbox.deployment import TEMPLATE
from tests.infra.aws_templates import load
from tests.infra.distributions import ROOT, linked, pinned, reached

LAMBDAS = ["AccountEventsFunction", "StackEventsFunction", "ReconcileAccountsFunction"]
FILES = ["lambdas/requirements.txt", "requirements.txt"]
SCHEMAS = {"bom-1.6": "bom-1.6", "spdx": "spdx", "jsf-0.82": "jsf-0.82"}


def handlers() -> dict[str, str]:
    """The module of each Lambda function, by its logical id."""
    resources = load(TEMPLATE)["Resources"]
    return {name: resources[name]["Properties"]["Handler"].rpartition(".")[0] for name in LAMBDAS}


def entries() -> list[tuple[str, str]]:
    """Every module that a platform imports first, with the requirements that are installed for it."""
    apps = [(f"functions.{path.stem}", FILES[1]) for path in sorted((ROOT / "functions").glob("*.py"))]
    return [*((module, FILES[0]) for module in handlers().values()), ("function_app", FILES[1]), *apps]


def plain(name: str, licence: str = "MIT", *requires: str) -> Component:
    return Component(
        name=name, version="1.0", licence=licence, texts=("LICENSE",), requires=tuple(requires), native=False
    )


# --- equal, and not too large


def test_equal_files_make_equal_zips_whatever_their_times_modes_and_order(tmp_path: Path) -> None:
    made = []
    for number, names in enumerate((["b/two.py", "a.py"], ["a.py", "b/two.py"])):
        folder = tmp_path / str(number)
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
            (folder / name).chmod(0o600 + number * 0o055)
            os.utime(folder / name, (1_700_000_000 + number, 1_700_000_000 + number))
        made.append(zip_folder(folder, tmp_path / f"{number}.zip"))
    assert made[0].path.read_bytes() == made[1].path.read_bytes()
    assert made[0].sha256 == made[1].sha256
    (tmp_path / "1" / "a.py").write_text("another")
    assert zip_folder(tmp_path / "1", tmp_path / "2.zip").sha256 != made[0].sha256


def test_nothing_of_the_installer_or_of_this_computer_stays_in_an_artefact(tmp_path: Path) -> None:
    notes = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"}
    kept = {"METADATA", "WHEEL", "LICENSE", "entry_points.txt"}
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "command").write_text(f"#!{sys.executable}\n")
    (tmp_path / "some-1.0.dist-info").mkdir()
    for name in notes | kept:
        (tmp_path / "some-1.0.dist-info" / name).touch()
    (tmp_path / "RECORD").touch()
    command = ["make", "--silent", "-C", str(ROOT / "lambdas"), "tidy", f"ARTIFACTS_DIR={tmp_path}"]
    subprocess.run(command, check=True)
    assert {path.name for path in (tmp_path / "some-1.0.dist-info").iterdir()} == kept
    assert {path.name for path in tmp_path.iterdir()} == {"RECORD", "some-1.0.dist-info"}


@pytest.mark.parametrize(
    ("zipped", "unzipped", "faults"),
    [
        (MOST_ZIPPED, MOST_UNZIPPED, 0),
        (MOST_ZIPPED + 1, MOST_UNZIPPED, 1),
        (MOST_ZIPPED, MOST_UNZIPPED + 1, 1),
    ],
)
def test_what_is_too_large_may_not_go_out(zipped: int, unzipped: int, faults: int) -> None:
    archive = Archive(path=Path("a.zip"), zipped=zipped, unzipped=unzipped, sha256="")
    assert len(list(archive.faults())) == faults


def test_the_limits_are_45_and_120_mb() -> None:
    assert (MOST_ZIPPED, MOST_UNZIPPED) == (45_000_000, 120_000_000)


# --- licences


@pytest.mark.parametrize("file", FILES)
def test_every_licence_that_goes_out_is_on_the_list_and_its_text_goes_with_it(file: str) -> None:
    found = components(pinned(file))
    assert len(found) > 20
    assert list(refused(found)) == []
    assert [each.name for each in found if not each.texts] == []


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND PSF-2.0", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only", False),
        ("LGPL-2.1-or-later", False),
        ("(MIT OR GPL-3.0-only) AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("BSD", False),
        ("", False),
    ],
)
def test_a_licence_outside_the_list_is_refused(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed
    assert bool(list(refused([plain("some", expression)]))) is not allowed


def test_what_was_read_by_hand_is_what_the_licence_files_say() -> None:
    marks = {"BSD-3-Clause": "Neither the name", "Apache-2.0": "Apache License", "ISC": "ISC License"}
    for found in pinned("requirements.txt"):
        expression = READ_BY_HAND.get(canonicalize_name(found.metadata["Name"]))
        if expression is None:
            continue
        [name] = [path for path in found.files or () if path.name.startswith("LICENSE")]
        text = str(name.read_text())
        assert ("Redistribution and use in source and binary forms" in text) is ("BSD" in expression)
        assert {each for each, mark in marks.items() if mark in text or mark.lower() in text} == {
            each for each in marks if each in expression
        }


# --- the bill of materials


def test_the_bill_is_one_by_the_published_schema_and_the_same_again() -> None:
    folder = files("cyclonedx.schema") / "_res"
    schemas = {each: json.loads((folder / f"{each}.SNAPSHOT.schema.json").read_text()) for each in SCHEMAS}
    base = "http://cyclonedx.org/schema/"
    registry: Registry[Any] = Registry().with_resources(
        (f"{base}{name}.SNAPSHOT.schema.json", Resource.from_contents(schema)) for name, schema in schemas.items()
    )
    found = components(pinned("lambdas/requirements.txt"))
    text = bill("AccountEventsFunction", "0.1.0", "a" * 64, found)
    document = json.loads(text)
    validator = Draft7Validator(schemas["bom-1.6"], registry=registry)
    assert [error.message for error in validator.iter_errors(document)] == []
    broken = document | {"serialNumber": "none"}
    assert [*validator.iter_errors(broken)], "the schema refuses nothing"
    assert {each["purl"] for each in document["components"]} == {each.purl for each in found}
    assert "timestamp" not in text
    assert bill("AccountEventsFunction", "0.1.0", "a" * 64, found) == text
    assert bill("AccountEventsFunction", "0.1.0", "b" * 64, found) != text


def test_the_bill_says_who_needs_whom_and_extras_only_where_somebody_asks_for_them() -> None:
    found = [
        plain("top", "MIT", "middle[fast]>=1", 'elsewhere; sys_platform == "win32"'),
        plain("middle", "MIT", 'quick; extra == "fast"', 'slow; extra == "slow"'),
        plain("quick"),
        plain("slow"),
        plain("elsewhere"),
    ]
    assert graph(found) == {"top": ("middle",), "middle": ("quick",), "quick": (), "slow": (), "elsewhere": ()}
    [root, *_] = json.loads(bill("x", "1", "0" * 64, found))["dependencies"]
    assert root["dependsOn"] == ["pkg:pypi/elsewhere@1.0", "pkg:pypi/slow@1.0", "pkg:pypi/top@1.0"]


# --- complete, and nothing in vain


def needed(names: set[str], needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    """These and all that they need."""
    waiting, all_names = list(names), set()
    while waiting:
        name = waiting.pop()
        if name not in all_names:
            all_names.add(name)
            waiting += needs[name]
    return all_names


@pytest.mark.parametrize("function", LAMBDAS)
def test_a_lambda_carries_what_it_reaches_and_nothing_else(function: str) -> None:
    """All three put messages on a queue of Azure's; one that does not would have to get requirements of its own."""
    found = components(pinned("lambdas/requirements.txt"))
    direct = reached(handlers()[function], "lambdas/requirements.txt")
    assert {"azure-identity", "azure-storage-queue", "boto3"} <= direct
    assert not {each.name for each in found} & {"azure-mgmt-security", "azure-functions", "azure-data-tables"}
    assert needed(direct, graph(found)) == {each.name for each in found}


def test_the_function_app_carries_what_it_reaches_and_nothing_else() -> None:
    found = components(pinned("requirements.txt"))
    direct = set().union(*(reached(module, file) for module, file in entries() if file == "requirements.txt"))
    assert needed(direct, graph(found)) == {each.name for each in found}


@pytest.mark.parametrize("file", FILES)
def test_every_entry_point_imports_with_its_own_requirements_alone(file: str, tmp_path: Path) -> None:
    """On the interpreter of this run, with a copy of the sources; `make build` does it with the artefacts on 3.13."""
    sources = tmp_path / "sources"
    collect(ROOT, sources)
    (sources / "lambdas").symlink_to(ROOT / "lambdas")
    packages = linked(file, tmp_path / "packages")
    names = [module for module, each in entries() if each == file]
    assert failure(sys.executable, [sources, packages], names) == ""
    assert "sandbox" in failure(sys.executable, [sources, packages], ["sandbox"])


def test_the_modules_that_are_tried_are_those_of_the_template_and_of_the_function_app(tmp_path: Path) -> None:
    (tmp_path / "lambdas").symlink_to(ROOT / "lambdas")
    for function, module in handlers().items():
        first, *others = modules(tmp_path, function)
        assert first == module
        assert {"lambdas.batch", "lambdas.bootstrap", "lambdas.metrics", "lambdas.settings"} <= set(others)
    collect(ROOT, tmp_path / "app")
    first, *others = modules(tmp_path / "app", "FunctionApp")
    assert first == "function_app"
    assert {"functions.sweep_bootstrap", "functions.gcp_bootstrap"} <= set(others)


def test_the_function_app_is_what_its_allow_list_admits(tmp_path: Path) -> None:
    collect(ROOT, tmp_path)
    assert admitted(ROOT) == ("function_app.py", "functions", "host.json", "requirements.txt", "shared")
    assert {path.name for path in tmp_path.iterdir()} == set(admitted(ROOT))
    assert not [*tmp_path.rglob("__pycache__")]


def small_artefact(folder: Path, licence: str) -> Path:
    """A Lambda artefact with one dependency that is only metadata."""
    (folder / "lambdas" / "account_events").mkdir(parents=True)
    (folder / "lambdas" / "account_events" / "handler.py").touch()
    (folder / "some-1.0.dist-info").mkdir()
    told = f"Metadata-Version: 2.4\nName: some\nVersion: 1.0\nLicense-Expression: {licence}\nLicense-File: LICENSE\n"
    (folder / "some-1.0.dist-info" / "METADATA").write_text(told)
    return folder


@pytest.mark.parametrize(("licence", "code"), [("MIT", 0), ("GPL-3.0-only", 1)])
def test_the_build_ends_with_1_where_something_may_not_go_out(
    licence: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("artefacts.__main__.find_python", lambda: None)
    assert main([small_artefact(tmp_path / "AccountEventsFunction", licence)]) == code
    said = capsys.readouterr()
    assert "NOT imported: there is no Python 3.13 here" in said.out
    assert re.search(r"0\.0 MB zipped .* 1 components .* sha256:[0-9a-f]{64}", said.out)
    assert ("GPL-3.0-only, which is not on the list" in said.err) is bool(code)
    assert (tmp_path / "licences.txt").read_text() == f"some 1.0\t{licence}\tLICENSE\tAccountEventsFunction\n"
    assert json.loads((tmp_path / "AccountEventsFunction.cdx.json").read_text())["components"][0]["name"] == "some"


def test_a_module_that_is_missing_is_told(tmp_path: Path) -> None:
    python = find_python()
    if python is None:
        pytest.skip("there is no Python 3.13 here")
    folder = small_artefact(tmp_path / "FunctionApp", "MIT")
    (folder / "some.cpython-313-x86_64-linux-gnu.so").touch()
    (folder / "some.cpython-313-aarch64-linux-gnu.so").touch()
    (folder / "function_app.py").write_text("import sys\nassert sys.version_info[:2] == (3, 13)\nimport nowhere\n")
    (folder / SITE_PACKAGES).mkdir(parents=True)
    assert "No module named 'nowhere'" in import_alone(python, folder, inventory(folder), ROOT / "requirements.txt")
    (folder / SITE_PACKAGES / "nowhere.py").touch()
    (folder / SITE_PACKAGES / "some.cpython-313-x86_64-linux-gnu.so").touch()
    (folder / SITE_PACKAGES / "some.cpython-313-aarch64-linux-gnu.so").touch()
    assert import_alone(python, folder, inventory(folder), ROOT / "requirements.txt") == ""
