"""`python -m artefacts FOLDER…`: zips each folder, says what it consists of, and refuses what may not go out.

Beside `build/NAME` there are then `NAME.zip`, its bill of materials `NAME.cdx.json` and, for all, `licences.txt`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from artefacts.alone import SITE_PACKAGES, VERSION, find_python, import_alone
from artefacts.archive import Archive, megabytes, zip_folder
from artefacts.bill import bill
from artefacts.inventory import Component, inventory
from artefacts.licences import is_allowed

ROOT = Path(__file__).parents[1]


def main(folders: Sequence[Path]) -> int:
    """1 where something may not go out."""
    version = _version()
    faults: list[str] = []
    listed: dict[Component, list[str]] = {}
    python = find_python()
    for folder in folders:
        azure = (folder / SITE_PACKAGES).exists()
        found = inventory(folder / SITE_PACKAGES if azure else folder)
        archive = zip_folder(folder, folder.with_suffix(".zip"))
        folder.with_suffix(".cdx.json").write_text(bill(folder.name, version, archive.sha256, found), encoding="utf-8")
        for component in found:
            listed.setdefault(component, []).append(folder.name)
        requirements = ROOT / ("requirements.txt" if azure else "lambdas/requirements.txt")
        told = import_alone(python, folder, found, requirements) if python else ""
        faults += [*archive.faults(), *([f"{folder.name} cannot be imported alone: {told}"] if told else [])]
        print(_line(archive, found, python=python, imported=not told))
    (folders[0].parent / "licences.txt").write_text(_licences(listed), encoding="utf-8")
    faults += refused(listed)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def refused(components: Sequence[Component] | dict[Component, list[str]]) -> Iterator[str]:
    """What may not be handed on, by its licence."""
    for each in components:
        if not is_allowed(each.licence):
            yield f"{each.name} {each.version}: its licence is {each.licence or 'not clear'}, which is not on the list"


def _line(archive: Archive, found: Sequence[Component], *, python: str | None, imported: bool) -> str:
    alone = f"imports alone on {VERSION}" if imported else f"does NOT import alone on {VERSION}"
    alone = alone if python else f"NOT imported: there is no Python {VERSION} here"
    sizes = f"{megabytes(archive.zipped):>8} zipped {megabytes(archive.unzipped):>8} unzipped"
    return f"{archive.path.stem:26} {sizes}  {len(found)} components  {alone}  sha256:{archive.sha256}"


def _licences(listed: dict[Component, list[str]]) -> str:
    rows = sorted(listed.items(), key=lambda row: (row[0].name, row[0].version))
    cells = (
        (f"{each.name} {each.version}", each.licence or "NOT CLEAR", ", ".join(each.texts) or "-", ", ".join(where))
        for each, where in rows
    )
    return "".join("\t".join(row) + "\n" for row in cells)


def _version() -> str:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return text.partition('\nversion = "')[2].partition('"')[0]


if __name__ == "__main__":
    sys.exit(main([Path(each) for each in sys.argv[1:]]))
