"""The zip of an artefact: equal for equal files, whenever and wherever it is made."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_ZIPPED = 45_000_000
MOST_UNZIPPED = 120_000_000
"""Bytes. Lambda itself refuses 50 MB of upload and 250 MB unzipped; whoever comes near starts slowly."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that the format knows


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A zip that was written."""

    path: Path
    zipped: int
    unzipped: int
    sha256: str

    def faults(self) -> Iterator[str]:
        """Why it may not go out."""
        if self.zipped > MOST_ZIPPED:
            yield f"{self.path.name} has {megabytes(self.zipped)} zipped, {megabytes(MOST_ZIPPED)} are allowed"
        if self.unzipped > MOST_UNZIPPED:
            yield f"{self.path.name} has {megabytes(self.unzipped)} unzipped, {megabytes(MOST_UNZIPPED)} are allowed"


def megabytes(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1_000_000:.1f} MB"


def zip_folder(folder: Path, path: Path) -> Archive:
    """Writes the files of `folder`, sorted, without times, owners and modes of this computer, to `path`."""
    files = sorted((each.relative_to(folder).as_posix(), each) for each in folder.rglob("*") if each.is_file())
    unzipped = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files:
            content = file.read_bytes()
            unzipped += len(content)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix: the modes are meant
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    written = path.read_bytes()
    return Archive(path=path, zipped=len(written), unzipped=unzipped, sha256=hashlib.sha256(written).hexdigest())
