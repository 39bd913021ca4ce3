"""Inputs out of valid documents: a program of bytes, which hypothesis makes, names edits of the tree and of the text.

A program is read two bytes at a time, modulo whatever there is to choose from, and zeros behind its end. So every
program means something, a shorter one means less, and the same program means the same for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from tests.fuzz.odd import CHUNKS, KEYS, NUMBERS, TEXTS, VALUES, Raw

MOST_BYTES = 400_000
"""No input is larger: the queues take 64 KiB, and SQS 1 MiB in all."""
T = TypeVar("T")
Path = tuple[Any, ...]
_MARK = "\ue000raw:"


class Program:
    """Choices, read off bytes."""

    def __init__(self, code: bytes) -> None:
        self._code = code
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether only zeros follow."""
        return self._at >= len(self._code)

    def below(self, most: int) -> int:
        """A number from 0 to `most` - 1."""
        two = self._code[self._at : self._at + 2]
        self._at += 2
        return int.from_bytes(two, "little") % most

    def choose(self, of: Sequence[T]) -> T:
        """One of them."""
        return of[self.below(len(of))]


class Document:
    """A document that is being edited: as a tree of JSON for as long as edits are about it, then as text."""

    def __init__(self, content: bytes, tree: bytes | None, others: Sequence[bytes]) -> None:
        """`tree` is the same as JSON, None where it has no such form; subtrees are taken from `others`."""
        self._text = content
        self._tree: Any = None if tree is None else [json.loads(tree)]  # in a list, so that the whole can be replaced
        self._others = others
        self._changed = False

    @property
    def content(self) -> bytes:
        """What it has become."""
        return _written(self._tree[0])[:MOST_BYTES] if self._changed else self._text

    def edit(self, program: Program) -> None:
        """One edit. After the first of the text the tree is given up."""
        if self._tree is not None and program.below(4) < 3:
            _edit_tree(self._tree, program, self._others)
            self._changed = True
            return
        self._text = _edited_text(self.content, program)[:MOST_BYTES]
        self._tree, self._changed = None, False


def _written(tree: Any) -> bytes:
    try:
        text = json.dumps(tree, default=str, ensure_ascii=True)
    except (RecursionError, ValueError):  # what a swap has put into itself
        return b"[" * 2000 + b"]" * 2000
    if _MARK[1:] in text:
        parts = text.split('"\\ue000raw:')
        text = parts[0] + "".join(_raw(part) for part in parts[1:])
    return text.encode("utf-8", "surrogatepass")


def _raw(part: str) -> str:
    """A marked text without its quotes, and what follows."""
    number, _, rest = part.partition('"')
    known = number.isascii() and number.isdigit() and int(number) < len(_RAWS)
    return _RAWS[int(number)] + rest if known else f'"{part}'  # another edit was at it


_RAWS = [str(each) for each in (*NUMBERS, *VALUES) if isinstance(each, Raw)]
_NUMBER_OF = {text: number for number, text in enumerate(_RAWS)}


def _value(each: object) -> Any:
    """A fresh copy that `json.dumps` can write; what is raw is marked."""
    if isinstance(each, Raw):
        return f"{_MARK}{_NUMBER_OF[str(each)]}"
    return json.loads(json.dumps(each)) if isinstance(each, list | dict) else each


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """The ways to all nodes."""
    waiting: list[tuple[Path, Any]] = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        yield path
        if isinstance(value, dict):
            waiting.extend(((*path, key), each) for key, each in value.items())
        elif isinstance(value, list) and len(value) <= 50:
            waiting.extend(((*path, key), each) for key, each in enumerate(value))


def _at(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree


def _edit_tree(tree: list[Any], program: Program, others: Sequence[bytes]) -> None:
    if not tree:
        tree.append(None)
    paths = list(_paths(tree))[1:] or [(0,)]  # long lists are not entered
    path = program.choose(paths)
    holder, key = _at(tree, path[:-1]), path[-1]
    program.choose(_TREE_EDITS)(holder, key, program, [tree, paths, others])


TreeEdit = Callable[[Any, Any, Program, list[Any]], None]


def _delete(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    del holder[key]
    if not about[0]:
        about[0].append({})


def _replace(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    holder[key] = _value(program.choose(VALUES))


def _retext(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    holder[key] = program.choose(TEXTS)


def _renumber(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    holder[key] = _value(program.choose(NUMBERS))


def _retype(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    value = holder[key]
    forms = (
        [value],
        {"value": value},
        json.dumps(value, default=str),
        [[value]],
        {"S": value},
        not value,
        [value, value],
    )
    holder[key] = program.choose(forms)


def _retouch(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    """Another text in the place of a part of a text; any other value becomes one."""
    text, odd = str(holder[key]), program.choose(TEXTS)
    at = program.below(len(text) + 1)
    kinds = (
        text[:at] + odd + text[at:],
        text[:at],
        text + odd,
        odd + text,
        text.upper(),
        text[::-1],
        text * 3,
        text[1:],
    )
    holder[key] = program.choose(kinds)


def _repeat(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    times = program.choose((2, 3, 20, 300))
    if isinstance(holder, list):
        holder[key:key] = [json.loads(json.dumps(holder[key], default=str))] * times
    else:
        name = str(key)
        holder[program.choose((name.upper(), name.title(), f"{name} ", f"x-{name}", name.lower()))] = holder[key]


def _swap(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    tree, paths, _ = about
    other = program.choose(paths)
    holder[key] = json.loads(json.dumps(_at(tree, other), default=str))


def _graft(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    found = json.loads(program.choose(about[2])) if about[2] else {}
    holder[key] = _at(found, program.choose(list(_paths(found))))


def _rename(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    if isinstance(holder, dict):
        holder[program.choose(KEYS)] = holder.pop(key)
    else:
        holder.reverse()


def _nest(holder: Any, key: Any, program: Program, about: list[Any]) -> None:
    value = holder[key]
    for _ in range(program.choose((1, 3, 12, 40, 120))):
        value = [value] if program.below(2) else {"a": value}
    holder[key] = value


_TREE_EDITS: tuple[TreeEdit, ...] = (
    *(_delete, _replace, _retext, _renumber, _retype, _retouch, _repeat, _swap, _graft, _rename, _nest),
    *(_retext, _retouch, _replace),
)


def _edited_text(text: bytes, program: Program) -> bytes:  # noqa: PLR0911 - one for each kind
    """A text with one change of its bytes."""
    at = program.below(len(text) + 1)
    kind = program.below(9)
    if kind == 0:
        return text[:at] + bytes([program.below(256)]) + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + program.choose((1, 2, 8, 100, 5000)) :]
    if kind in {2, 3}:
        return text[:at] + program.choose(CHUNKS) + text[at:]
    if kind == 4:
        part = text[at : at + program.choose((1, 4, 16, 120))]
        return text[:at] + part * program.choose((2, 10, 500)) + text[at:]
    if kind == 5:
        return text[:at]
    if kind == 6:
        return program.choose(CHUNKS) + text
    if kind == 7:
        return _given_twice(text, at, program)
    return _recoded(text, program)


def _given_twice(text: bytes, at: int, program: Program) -> bytes:
    """A key of an object once more, with another value, as no tree has it."""
    brace = text.find(b"{", at)
    found = brace if brace >= 0 else text.find(b"{")
    key = text[found + 1 :].lstrip()[:60].partition(b":")[0]
    if found < 0 or not key.startswith(b'"'):
        return text + text
    odd = json.dumps(program.choose(TEXTS)).encode()
    return text[: found + 1] + key + b":" + odd + b"," + text[found + 1 :]


def _recoded(text: bytes, program: Program) -> bytes:
    said = text.decode("utf-8", "replace")
    coding = program.choose(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "latin-1", "cp037", "utf-7"))
    return said.encode(coding, "replace")
