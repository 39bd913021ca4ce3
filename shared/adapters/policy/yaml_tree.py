"""YAML with places and without its traps: ids stay text, no key twice, no aliases, no strange tags, nothing huge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from shared.adapters.policy.limits import MOST_BYTES

MOST_DEPTH = 24
MOST_VALUES = 50_000
"""A file of that size has more only where they are no account ids."""
MOST_KEY_LETTERS = 256
"""Every message about a value repeats the keys above it. AWS's tags have keys of 128."""
MOST_MESSAGE_LETTERS = 2000
MOST_PROBLEMS = 1000
"""That are told of one file."""
Loc = tuple[str | int, ...]
"""The way from the top of a document to one of its values: keys and indices."""

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_IDENTIFIER_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Form:
    """A kind of document: what it is called, how large and deep it may be, and the tags that it may have.

    `functions` gives each tag the key that it stands for: with `!Ref` → `Ref`, `!Ref x` is read as `{Ref: x}`.
    """

    noun: str = "policy"
    most_bytes: int = MOST_BYTES
    most_depth: int = MOST_DEPTH
    functions: Mapping[str, str] = field(default_factory=dict)


POLICY = Form()


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong, or worth a second look, in a file; line and column count from 1."""

    line: int
    column: int
    message: str
    is_error: bool = True

    def __post_init__(self) -> None:
        """What is wrong may be a name without end, and a file may have a thousand of them."""
        if len(self.message) > MOST_MESSAGE_LETTERS:
            object.__setattr__(self, "message", f"{self.message[:MOST_MESSAGE_LETTERS]}…")


class UnreadableError(Exception):
    """The file is no document at all."""

    def __init__(self, problem: Problem) -> None:
        """Keeps the one `problem`."""
        super().__init__(problem.message)
        self.problem = problem


@dataclass
class Tree:
    """The document's value, the place of every key and of every value in it, and keys that were given twice."""

    value: Any = None
    keys: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    values: dict[Loc, tuple[int, int]] = field(default_factory=dict)
    twice: list[Problem] = field(default_factory=list)

    def at(self, loc: Loc) -> Any:
        """The value there; None where there is none."""
        value = self.value
        for step in loc:
            if isinstance(value, dict):
                value = value.get(step)
            else:
                value = value[step] if isinstance(value, list) and isinstance(step, int) else None
        return value

    def place(self, loc: Loc, *, key: bool = False) -> tuple[int, int]:
        """Line and column of a value (or its key), or of the nearest thing around it that is there."""
        first, second = (self.keys, self.values) if key else (self.values, self.keys)
        for length in range(len(loc), -1, -1):
            part = loc[:length]
            if found := first.get(part) or second.get(part):
                return found
        return 1, 1

    def error(self, loc: Loc, message: str, *, key: bool = False) -> Problem:
        """Something wrong there."""
        line, column = self.place(loc, key=key)
        return Problem(line=line, column=column, message=message)

    def warning(self, loc: Loc, message: str) -> Problem:
        """Something there that is worth a second look."""
        line, column = self.place(loc)
        return Problem(line=line, column=column, message=message, is_error=False)


def as_map(value: Any) -> dict[str, Any]:
    """A value of a tree as a mapping, empty where it is none."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """A value of a tree as a list, empty where it is none."""
    return value if isinstance(value, list) else []


def read_yaml(content: bytes, form: Form = POLICY) -> Tree:
    """Reads one document. Raises UnreadableError where it is none, or could do harm."""
    if len(content) > form.most_bytes:
        text = f"larger than {form.most_bytes // 1024} KiB, which no {form.noun} is"
        raise UnreadableError(_problem(None, text))
    try:
        return _Builder(form).build(yaml.parse(content, Loader=_PARSER))
    except yaml.MarkedYAMLError as error:
        text = " ".join(part for part in (error.context, error.problem) if part)
        raise UnreadableError(_problem(error.problem_mark or error.context_mark, f"not YAML: {text}")) from error
    except yaml.reader.ReaderError as error:
        text = f"not YAML: {error.reason}"
        raise UnreadableError(_at(content[: error.position or 0], text)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnreadableError(_problem(None, f"not YAML: {' '.join(str(error).split())}")) from error


def _at(before: bytes, message: str) -> Problem:
    """A problem behind `before`: the reader counts bytes."""
    line = before.rpartition(b"\n")[2].decode("utf-8", errors="replace")
    return Problem(line=before.count(b"\n") + 1, column=len(line) + 1, message=message)


def _problem(mark: Any, message: str) -> Problem:
    return Problem(line=mark.line + 1 if mark else 1, column=mark.column + 1 if mark else 1, message=message)


@dataclass
class _Open:
    """A mapping or sequence that is being read; `key` is what the next value of a mapping belongs to."""

    value: Any
    loc: Loc
    key: Any = None
    has_key: bool = False


class _Builder:
    """Makes a tree of parser events, without recursion."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.tree = Tree()
        self.open: list[_Open] = []
        self.documents = 0

    def build(self, events: Iterator[Any]) -> Tree:
        for event in events:
            self._check(event)
            if isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    raise UnreadableError(_problem(event.start_mark, f"a second document; a {self.form.noun} is one"))
            elif isinstance(event, yaml.MappingStartEvent):
                self._start(event, {})
            elif isinstance(event, yaml.SequenceStartEvent):
                self._start(event, [])
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self.open.pop()
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
        return self.tree

    def _check(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UnreadableError(_problem(event.start_mark, "anchors and aliases are not supported; write it out"))
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in self.form.functions:
            raise UnreadableError(_problem(event.start_mark, f"tags are not supported: {tag}"))
        if len(self.open) > self.form.most_depth:
            text = f"nested deeper than {self.form.most_depth} levels"
            raise UnreadableError(_problem(event.start_mark, text))

    def _start(self, event: Any, value: Any) -> None:
        if self.open and isinstance(self.open[-1].value, dict) and not self.open[-1].has_key:
            raise UnreadableError(_problem(event.start_mark, "a key has to be text"))
        self.open.append(_Open(value, self._put_tagged(event, value)))

    def _scalar(self, event: Any) -> None:
        parent = self.open[-1] if self.open else None
        if parent is not None and isinstance(parent.value, dict) and not parent.has_key:
            key = event.value
            if event.tag is not None:
                raise UnreadableError(_problem(event.start_mark, "a key has to be text"))
            if len(key) > MOST_KEY_LETTERS:
                raise UnreadableError(_problem(event.start_mark, f"a key of more than {MOST_KEY_LETTERS} letters"))
            loc = (*parent.loc, key)
            if key in parent.value:
                told = len(self.tree.twice) < MOST_PROBLEMS  # the others are only counted
                name = ".".join(map(str, loc)) if told else key
                self.tree.twice.append(_problem(event.start_mark, f"{name}: given twice"))
            self.tree.keys[loc] = (event.start_mark.line + 1, event.start_mark.column + 1)
            parent.key, parent.has_key = key, True
            return
        self._put_tagged(event, event.value if event.style or event.tag is not None else _plain(event.value))

    def _put_tagged(self, event: Any, value: Any) -> Loc:
        """`_put`, of the function that a tag stands for around the value. Returns the value's own way."""
        if event.tag is None:
            return self._put(event, value)
        function = self.form.functions[event.tag]
        loc = (*self._put(event, {function: value}), function)
        self.tree.values[loc] = (event.start_mark.line + 1, event.start_mark.column + 1)
        return loc

    def _put(self, event: Any, value: Any) -> Loc:
        if len(self.tree.values) >= MOST_VALUES:
            raise UnreadableError(
                _problem(event.start_mark, f"more than {MOST_VALUES} values, which no {self.form.noun} has")
            )
        loc: Loc = ()
        if not self.open:
            self.tree.value = value
        else:
            parent = self.open[-1]
            if isinstance(parent.value, dict):
                loc = (*parent.loc, parent.key)
                parent.value[parent.key] = value
                parent.has_key = False
            else:
                loc = (*parent.loc, len(parent.value))
                parent.value.append(value)
        self.tree.values[loc] = (event.start_mark.line + 1, event.start_mark.column + 1)
        return loc


def _plain(text: str) -> Any:
    """A value without quotes. Digits that are an identifier (leading zero, or long as an account id) stay text."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    digits = text.removeprefix("-").removeprefix("+")
    if digits.isascii() and digits.isdigit():
        identifier = len(digits) >= _IDENTIFIER_DIGITS or (len(digits) > 1 and digits.startswith("0"))
        return text if identifier else int(text)
    whole, dot, fraction = digits.partition(".")
    if dot and whole.isascii() and whole.isdigit() and fraction.isascii() and fraction.isdigit():
        return float(text)
    return text
