"""Where a running sandbox can be reached: `.sandbox/endpoints.json`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

FILE = "endpoints.json"


class Endpoints(BaseModel):
    """The addresses others build against; more may be added, none renamed."""

    model_config = ConfigDict(extra="allow")

    aws: str
    arm: str
    authority: str
    queue: str
    blob: str
    table: str
    functions: str
    gcp: str | None = None
    admin: str
    ca_bundle: str
    pid: int
    tenant_id: str = ""
    subscription_id: str = ""

    @classmethod
    def read(cls, folder: Path) -> Endpoints | None:
        """The endpoints of the sandbox in `folder`; None where there is none."""
        path = folder / FILE
        return cls.model_validate_json(path.read_bytes()) if path.exists() else None

    def write(self, folder: Path) -> None:
        """Publishes the endpoints in one step, so that a reader never sees half a file."""
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{FILE}.new"
        draft.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        draft.replace(folder / FILE)
