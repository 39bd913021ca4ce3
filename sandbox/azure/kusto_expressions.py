"""Expressions of the Kusto query language: comparisons, membership, and/or, sums, function calls, paths.

Source: Azure Resource Graph "Understanding the query language".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.azure.kusto_functions import COMPARISONS, FUNCTIONS, QueryError, added, text_of

Row = dict[str, Any]
Value = Callable[[Row], Any]
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_$][A-Za-z0-9_$]*)|(?P<symbol>==|!=|=~|!~|<=|>=|~|[|(),.\[\]=<>+-]))"
)


@dataclass(frozen=True)
class Token:
    """A word, number, string or symbol."""

    kind: str
    text: str


def _tokens(query: str) -> list[Token]:
    text = re.sub(r"//[^\n]*", "", query).strip()
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise QueryError("ParserFailure", f"ParserFailure at {at}: {text[at : at + 20]!r}")
        found.append(Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def _literal(token: Token) -> str:
    """What a string's token says."""
    return re.sub(r"\\(.)", r"\1", token.text[1:-1])


def _hashable(value: Any) -> Any:
    """The value, or nothing that is ever equal to a string where it is not one."""
    return value if isinstance(value, str) else None


class Parser:
    """Reads a query from its start to its end; `columns` are those that exist at this point of it."""

    def __init__(self, query: str) -> None:
        """Raises QueryError where a character cannot belong to any query."""
        self._tokens = _tokens(query)
        self._at = 0
        self.columns: set[str] = set()

    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._tokens)

    def at_end(self) -> bool:
        """Whether the query that is read ends here: nothing is left, or the parenthesis around it closes."""
        return self.done() or self.peek() == ")"

    @property
    def texts(self) -> list[str]:
        """Every word and symbol outside of strings."""
        return [token.text for token in self._tokens if token.kind != "string"]

    @property
    def taken(self) -> str:
        """All that was taken so far, one token a line."""
        return "\n".join(token.text for token in self._tokens[: self._at])

    def peek(self) -> str:
        """The next word or symbol, empty at the end."""
        return self._tokens[self._at].text if not self.done() else ""

    def next(self) -> Token:
        """Takes the next token."""
        if self.done():
            raise QueryError("ParserFailure", "ParserFailure: the query ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def accept(self, *texts: str) -> bool:
        """Takes these tokens if they come next."""
        following = [token.text for token in self._tokens[self._at : self._at + len(texts)]]
        matches = following == list(texts)
        self._at += len(texts) if matches else 0
        return matches

    def expect(self, text: str) -> None:
        """Takes this token, which must come next."""
        if not self.accept(text):
            raise QueryError("ParserFailure", f"ParserFailure: expected {text!r}, found {self.peek()!r}")

    def word(self) -> str:
        """Takes a name."""
        token = self.next()
        if token.kind != "word":
            raise QueryError("ParserFailure", f"ParserFailure: expected a name, found {token.text!r}")
        return token.text

    def number(self) -> int:
        """Takes a whole number."""
        token = self.next()
        if token.kind != "number" or not token.text.isdigit():
            raise QueryError("ParserFailure", f"ParserFailure: expected a number, found {token.text!r}")
        return int(token.text)

    def operator(self) -> str:
        """Takes the name of a tabular operator, which may have a hyphen."""
        name = self.word()
        return f"{name}-{self.word()}" if self.accept("-") else name

    def listed(self, item: Callable[[], Any]) -> list[Any]:
        """Takes items that commas separate."""
        found = [item()]
        while self.accept(","):
            found.append(item())
        return found

    def column(self) -> tuple[str, Value]:
        """Takes `name = expression`, or a column's name."""
        name = self.word()
        if self.accept("="):
            return name, self.condition()
        return name, self._path(name)

    def condition(self) -> Value:
        """Takes an expression."""
        left = self._conjunction()
        while self.accept("or"):
            left = _either(left, self._conjunction())
        return left

    def _conjunction(self) -> Value:
        left = self._comparison()
        while self.accept("and"):
            left = _both(left, self._comparison())
        return left

    def _comparison(self) -> Value:
        left = self._sum()
        if self.accept("in", "~"):
            return self._membership(left, fold=True)
        if self.accept("in"):
            return self._membership(left, fold=False)
        if self.peek() in COMPARISONS:
            compare, right = COMPARISONS[self.next().text], self._sum()
            return lambda row: compare(left(row), right(row))
        return left

    def _sum(self) -> Value:
        left = self._operand()
        while self.accept("+"):
            left = _sum_of(left, self._operand())
        return left

    def _membership(self, left: Value, *, fold: bool) -> Value:
        self.expect("(")
        texts = self._literal_texts()
        if texts is not None:
            known = frozenset(text.lower() for text in texts) if fold else texts
            return lambda row: (text_of(left(row)).lower() if fold else _hashable(left(row))) in known
        members = self.listed(self._operand)
        self.expect(")")
        compare = COMPARISONS["=~" if fold else "=="]
        return lambda row: any(compare(left(row), member(row)) for member in members)

    def _literal_texts(self) -> frozenset[str] | None:
        """Takes a list to its closing parenthesis if it has nothing but strings."""
        end = self._at
        while end < len(self._tokens) and self._tokens[end].text != ")":
            end += 1
        listed = self._tokens[self._at : end]
        plain = all(
            token.kind == "string" if number % 2 == 0 else token.text == "," for number, token in enumerate(listed)
        )
        if not plain or len(listed) % 2 == 0 or end == len(self._tokens):
            return None
        self._at = end + 1
        return frozenset(_literal(token) for token in listed[::2])

    def narrowing(self) -> tuple[str, frozenset[str]] | None:
        """`type` or `id`, and the values in lower case that the condition that comes next leaves of it.

        Takes nothing. None where the condition says more than that, or less.
        """
        end, depth = self._at, 0
        while end < len(self._tokens) and (depth or self._tokens[end].text not in {"|", ")"}):
            depth += {"(": 1, ")": -1}.get(self._tokens[end].text, 0)
            end += 1
        before, tokens = self._at, self._tokens[self._at : end]
        texts = [token.text.lower() for token in tokens]
        if len(tokens) == 3 and texts[0] in {"type", "id"} and texts[1] in {"==", "=~"} and tokens[2].kind == "string":  # noqa: PLR2004 - COLUMN =~ 'value'
            return texts[0], frozenset({_literal(tokens[2]).lower()})
        if texts[:6] == ["tolower", "(", "id", ")", "in", "("]:
            self._at += 6
            found = self._literal_texts()
            whole, self._at = self._at == end, before
            return ("id", found) if whole and found is not None else None
        return None

    def _operand(self) -> Value:
        if self.accept("("):
            inner = self.condition()
            self.expect(")")
            return inner
        token = self.next()
        if token.kind == "string":
            literal = _literal(token)
            return lambda row: literal
        if token.kind == "number":
            number = float(token.text) if "." in token.text else int(token.text)
            return lambda row: number
        if token.kind != "word":
            raise QueryError("ParserFailure", f"ParserFailure: unexpected {token.text!r}")
        if token.text in {"true", "false"}:
            return lambda row: token.text == "true"
        if self.accept("("):
            return self._call(token.text)
        return self._path(token.text)

    def _call(self, name: str) -> Value:
        arguments = self.listed(self.condition)
        self.expect(")")
        if name not in FUNCTIONS:
            raise QueryError("UnknownFunction", f"Unknown function: '{name}'.")
        function, wanted = FUNCTIONS[name]
        if len(arguments) not in wanted:
            raise QueryError("ParserFailure", f"ParserFailure: {name}() does not take {len(arguments)} argument(s)")
        return lambda row: function(*(argument(row) for argument in arguments))

    def _path(self, column: str) -> Value:
        if column not in self.columns:
            raise QueryError("ColumnNotFound", f"Failed to resolve column or scalar expression '{column}'")
        keys = []
        while True:
            if self.accept("."):
                keys.append(self.word())
            elif self.accept("["):
                keys.append(self.next().text.strip("'\""))
                self.expect("]")
            else:
                break

        def value(row: Row) -> Any:
            found = row[column]
            for key in keys:
                found = found.get(key) if isinstance(found, dict) else None
            return found

        return value


def _either(left: Value, right: Value) -> Value:
    return lambda row: bool(left(row)) or bool(right(row))


def _both(left: Value, right: Value) -> Value:
    return lambda row: bool(left(row)) and bool(right(row))


def _sum_of(left: Value, right: Value) -> Value:
    return lambda row: added(left(row), right(row))
