"""The texts of the questions: the files that people open in a portal are the ones that are asked."""

from __future__ import annotations

from pathlib import Path

from cli.output import RefusedError
from shared.domain.queries import Question

FOLDER = Path(__file__).parents[1] / "docs" / "queries"
"""Rollcall's command line runs from a clone; no copy of the texts stands elsewhere."""


def text_of(question: Question) -> str:
    """The query of a question. Raises RefusedError where its file cannot be read."""
    path = FOLDER / f"{question.name}.kql"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        remedy = "run rollcall from a whole clone of its repository"
        raise RefusedError(f"{path} cannot be read: {error.strerror}", remedy=remedy) from error
