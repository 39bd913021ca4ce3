"""`.deploy/`: what each step printed, kept for the steps after it, and files that are made for a command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from deploy.refusal import RefusedError

FOLDER = Path(".deploy")


class Step(StrEnum):
    """The steps, in order; each is a target `make deploy-…`."""

    FEDERATION = "federation"
    AZURE = "azure"
    AWS = "aws"
    GCP = "gcp"


def keep(root: Path, step: Step, outputs: Mapping[str, Any]) -> None:
    """Writes down what a step gave."""
    write(root, f"{step}.json", json.dumps(outputs, indent=2, sort_keys=True) + "\n")


def kept(root: Path, step: Step) -> dict[str, Any]:
    """What a step gave. Raises RefusedError where it has given nothing yet."""
    try:
        found: dict[str, Any] = json.loads((root / FOLDER / f"{step}.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RefusedError(
            f"nothing is known of the step {step}",
            remedy=f"`make deploy-{step}` reads what is deployed already; `make deploy-{step} APPLY=1` deploys it.",
        ) from error
    return found


def forget(root: Path, step: Step) -> None:
    """What a step gave is not so any more."""
    (root / FOLDER / f"{step}.json").unlink(missing_ok=True)


def write(root: Path, name: str, content: str) -> Path:
    """Writes a file for a command, or for the operator, and returns its path."""
    path = root / FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path
