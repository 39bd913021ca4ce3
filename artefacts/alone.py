"""Whether an artefact can be imported with nothing around it, on the Python that it is deployed on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from artefacts.inventory import Component

VERSION = "3.13"
SITE_PACKAGES = Path(".python_packages", "lib", "site-packages")
"""Where the Function App's dependencies are. Source: Azure Functions, "Python build options"."""


def find_python() -> str | None:
    """An interpreter of that version; None where this computer has none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for each in (shutil.which(f"python{VERSION}"), *sorted(map(str, pyenv.glob(f"{VERSION}.*/bin/python")))):
        if each and subprocess.run([each, "-c", ""], capture_output=True, check=False).returncode == 0:  # noqa: S603 - found above
            return each
    return None


def modules(folder: Path, name: str) -> tuple[str, ...]:
    """What the platform imports of the artefact `name`, and whatever it may come to on its way."""
    if (folder / "function_app.py").exists():
        entry, package = "function_app", "functions"
    else:
        words = re.findall("[A-Z][a-z]+", name.removesuffix("Function"))
        entry, package = f"lambdas.{'_'.join(words).lower()}.handler", "lambdas"
    others = (".".join(each.relative_to(folder).with_suffix("").parts) for each in (folder / package).rglob("*.py"))
    return entry, *sorted(other.removesuffix(".__init__") for other in others)


def failure(python: str, paths: Sequence[Path], names: Iterable[str]) -> str:
    """Why one of the modules cannot be imported from these folders and the standard library; empty where all can."""
    script = (
        "import importlib, sys; sys.path[:0] = sys.argv[1].split('|'); "
        "[importlib.import_module(each) for each in sys.argv[2].split()]"
    )
    # -I and -S: no environment, no working directory, no site-packages of the interpreter's own.
    done = subprocess.run(  # noqa: S603 - an interpreter that was found, a script of ours
        [python, "-I", "-S", "-B", "-c", script, "|".join(map(str, paths)), " ".join(names)],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""


def import_alone(python: str, folder: Path, found: Sequence[Component], requirements: Path) -> str:
    """Why the artefact cannot be imported here; empty where it can.

    Parts that were built for another machine are taken from wheels for this one, of the same versions and hashes;
    everything else is the artefact's own.
    """
    own = [folder, folder / SITE_PACKAGES] if (folder / SITE_PACKAGES).exists() else [folder]
    names = modules(folder, folder.name)
    if any(own[-1].rglob(f"*{platform.machine()}*.so")):
        return failure(python, own, names)
    with tempfile.TemporaryDirectory() as scratch:
        native = {each.name for each in found if each.native}
        overlay = Path(scratch, "native")
        install(overlay, _pinned(requirements, native), Path(scratch, "native.txt"))
        return failure(python, [overlay, *own], names)


def _pinned(requirements: Path, names: set[str]) -> str:
    """The lines of a requirements file about these, with their hashes."""
    entries = re.split(r"\n(?=\S)", requirements.read_text(encoding="utf-8"))
    return "\n".join(each for each in entries if each.partition("==")[0] in names) + "\n"


def install(target: Path, requirements: str, file: Path) -> None:
    """Installs pinned and hashed requirements for this machine and the Python of the artefacts."""
    file.write_text(requirements, encoding="utf-8")
    machine = f"{platform.machine()}-manylinux2014"
    subprocess.run(  # noqa: S603 - our own tool
        [
            str(Path(sys.executable).with_name("uv")),
            *("pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
            *("--python-version", VERSION, "--python-platform", machine, "--target", str(target)),
            *("--requirement", str(file)),
        ],
        check=True,
    )
