"""Empty defaults of pydantic's fields.

`list` and `dict` themselves cost each cold start some ten milliseconds: pydantic asks for their signatures, which
Python keeps as texts and takes apart with a tokenizer that has to be compiled first.
"""

from __future__ import annotations

from typing import Any


def empty_list() -> list[Any]:
    """A new one."""
    return []


def empty_dict() -> dict[str, Any]:
    """A new one."""
    return {}
