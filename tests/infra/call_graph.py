"""What an entry point can reach, told by the types of its code: mypy says what every expression is.

From the entry point on, each function, method and property that the code names is followed. A call of a port goes on
in those classes that are made on the way, so in what the composition root chose; it ends in a client of boto3, whose
type names its service (`mypy_boto3_sqs.client.SQSClient`). Too much may be found, as a branch that is never taken;
nothing may be missed: what the types cannot tell is an error.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import botocore.session
from botocore import xform_name
from mypy.build import BuildSource, build
from mypy.main import process_options
from mypy.nodes import (
    CallExpr,
    ClassDef,
    Decorator,
    Expression,
    FuncDef,
    MemberExpr,
    MypyFile,
    NameExpr,
    Node,
    OverloadedFuncDef,
    RefExpr,
    StrExpr,
    SuperExpr,
    TypeInfo,
)
from mypy.subtypes import is_subtype
from mypy.traverser import NameAndMemberCollector
from mypy.types import AnyType, CallableType, Instance, Overloaded, TupleType, Type, TypeType, TypeVarType, UnionType
from mypy.types import get_proper_type as proper
from mypy.typevars import fill_typevars_with_any

from sandbox.deployment import REPOSITORY

PACKAGES = ("lambdas", "functions", "shared", "tests.fixtures.called")
_CACHE = REPOSITORY / ".mypy_cache" / "call_graph"
_NO_OPERATIONS = {"exceptions", "meta"}
Reference = NameExpr | MemberExpr
Owner = FuncDef | TypeInfo | MypyFile
"""What holds an expression: a function, a class beside its methods, or a module beside both."""


class UntypedError(Exception):
    """A call of AWS of which the types do not tell the service or the operation."""


@dataclass(frozen=True, order=True)
class AwsCall:
    """A method of a client of boto3 that the code names; `place` is the function that does."""

    service: str
    method: str
    place: str


@dataclass(frozen=True)
class _Code:
    """The code, parsed and with its types."""

    modules: Mapping[str, MypyFile]
    types: Mapping[Expression, Type]
    calls: Mapping[Expression, CallExpr]
    """By what they call."""
    supers: Sequence[SuperExpr]


@cache
def _code() -> _Code:
    """Ours is read anew, since mypy keeps no types of expressions; what it imports may come from the cache."""
    named = [
        "--config-file",
        str(REPOSITORY / "pyproject.toml"),
        *(str(REPOSITORY / each.replace(".", "/")) for each in PACKAGES),
    ]
    sources, options = process_options(named)
    options.export_types = options.preserve_asts = True
    options.cache_dir, options.sqlite_cache = str(_CACHE), False
    ours = [
        BuildSource(each.path, each.module, (REPOSITORY / each.path).read_text(encoding="utf-8"), each.base_dir)
        for each in sources
        if each.path is not None
    ]
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one worker reads the types of all libraries, half a minute; others the cache
        found = build(ours, options)
    assert not found.errors, found.errors
    return _Code(
        modules={name: state.tree for name, state in found.graph.items() if state.tree is not None},
        types=found.types,
        calls={each.callee: each for each in found.types if isinstance(each, CallExpr)},
        supers=[each for each in found.types if isinstance(each, SuperExpr)],
    )


@cache
def _operations() -> frozenset[str]:
    """The names of all methods of clients that stand for operations, of every service whose types are installed."""
    session = botocore.session.get_session()
    services = {name for name in map(_service, _code().modules) if name in session.get_available_services()}
    assert services
    return frozenset(
        xform_name(operation) for name in services for operation in session.get_service_model(name).operation_names
    )


def _service(module: str) -> str:
    """boto3's name of the service whose client a module of stubs has; empty for any other module."""
    package, _, _ = module.partition(".")
    return package.removeprefix("mypy_boto3_").replace("_", "-") if package.startswith("mypy_boto3_") else ""


def aws_calls(*entry_points: str) -> frozenset[AwsCall]:
    """What functions of ours can call; they are named in full: `lambdas.stack_events.handler.handler`."""
    return _Walk(entry_points).calls()


class _Walk:
    """One walk through the code: what was reached, which classes were made, and what was called of which type."""

    def __init__(self, entry_points: tuple[str, ...]) -> None:
        self._waiting: list[Owner] = []
        self._reached: set[Owner] = set()
        self._named: set[tuple[TypeInfo, str]] = set()
        self._paged: set[tuple[str, FuncDef, str]] = set()
        self._literals: dict[tuple[FuncDef, str], set[str]] = {}
        self._calls: set[AwsCall] = set()
        for each in entry_points:
            module, _, name = each.rpartition(".")
            self.reach(_code().modules[module].names[name].node)

    def calls(self) -> frozenset[AwsCall]:
        while self._waiting:
            owner = self._waiting.pop()
            collector = NameAndMemberCollector()
            for part in _parts(owner):
                part.accept(collector)
            references: list[Reference] = [*collector.name_exprs, *collector.member_exprs]
            for expression in references:
                self._read(expression, owner)
        for service, function, argument in self._paged:
            named = self._literals.get((function, argument), set())
            if not named:
                raise UntypedError(f"{function.fullname}: nobody gives `{argument}` as a literal")
            self._calls |= {AwsCall(service, each, function.fullname) for each in named}
        return frozenset(self._calls)

    def reach(self, node: Node | None) -> None:
        """A function of ours that is named somewhere; with it the tables of its module."""
        match node:
            case OverloadedFuncDef():
                for item in [*node.items, node.impl]:
                    self.reach(item)
            case Decorator():
                self.reach(node.func)
            case FuncDef() if _is_ours(node.fullname):
                self._wait_for(node)
                self._wait_for(_module_of(node.fullname))

    def _wait_for(self, owner: Owner) -> None:
        if owner not in self._reached:
            self._reached.add(owner)
            self._waiting.append(owner)

    def make(self, kind: TypeInfo) -> None:
        """A class of ours that is named: its own machinery runs, and calls of what it stands for go on in it."""
        if not _is_ours(kind.fullname) or kind in self._reached or kind.is_protocol:
            return
        self._wait_for(kind)
        asked = {each.name for each in _code().supers if each.info in kind.mro}
        for base in kind.mro:
            for name in base.names:
                if name in asked or name.startswith("__"):
                    self.reach(base.names[name].node)
        for stands_for, name in list(self._named):
            self._go_on(kind, stands_for, name)

    def member(self, kind: TypeInfo, name: str) -> None:
        """A member that is named of something of that type."""
        self.reach(_member(kind, name))
        if _is_ours(kind.fullname) and (kind, name) not in self._named:
            self._named.add((kind, name))
            for made in [each for each in self._reached if isinstance(each, TypeInfo)]:
                self._go_on(made, kind, name)

    def _go_on(self, made: TypeInfo, stands_for: TypeInfo, name: str) -> None:
        if made is not stands_for and is_subtype(fill_typevars_with_any(made), fill_typevars_with_any(stands_for)):
            self.reach(_member(made, name))

    def _read(self, expression: Reference, owner: Owner) -> None:
        if isinstance(expression.node, TypeInfo):
            self.make(expression.node)
        self.reach(expression.node)
        nodes: list[Node | None] = [expression.node]
        for kind in _kinds(expression.expr) if isinstance(expression, MemberExpr) else ():
            if kind is None or _service(kind.fullname):
                self._ask(kind, expression, owner)
            else:
                nodes.append(_member(kind, expression.name))
                self.member(kind, expression.name)
        if call := _code().calls.get(expression):
            self._give(nodes, call)

    def _ask(self, client: TypeInfo | None, expression: Reference, owner: Owner) -> None:
        place, name = f"{owner.fullname}, line {expression.line}", expression.name
        if client is None:
            if name in _operations():
                raise UntypedError(f"{place}: `{name}` of nobody knows what")
        elif name == "get_paginator":
            self._page(_service(client.fullname), _code().calls[expression].args[0], owner)
        elif client.name.endswith("Client") and name not in _NO_OPERATIONS:
            if name not in _operations():
                raise UntypedError(f"{place}: `{name}` of {client.name} is no operation")
            self._calls.add(AwsCall(_service(client.fullname), name, owner.fullname))

    def _page(self, service: str, operation: Expression, owner: Owner) -> None:
        """An operation that is asked page by page: named by a literal, or by whoever calls the function."""
        match operation, owner:
            case StrExpr(), _:
                self._calls.add(AwsCall(service, operation.value, owner.fullname))
            case NameExpr(), FuncDef() if operation.name in owner.arg_names:
                self._paged.add((service, owner, operation.name))
            case _:
                raise UntypedError(f"{owner.fullname}: the operation of get_paginator is no literal")

    def _give(self, nodes: list[Node | None], call: CallExpr) -> None:
        """Remembers the literals that functions of ours are given, which may say what is asked page by page."""
        for function in [each.func if isinstance(each, Decorator) else each for each in nodes]:
            if isinstance(function, FuncDef) and _is_ours(function.fullname):
                names = function.arg_names[1:] if function.info and not function.is_static else function.arg_names
                for number, (given, name) in enumerate(zip(call.args, call.arg_names, strict=True)):
                    if isinstance(given, StrExpr) and (name or number < len(names)):
                        self._literals.setdefault((function, str(name or names[number])), set()).add(given.value)


def _parts(owner: Owner) -> Sequence[Node]:
    """What belongs to it itself: of a class and a module not what they define."""
    if isinstance(owner, FuncDef):
        return [owner]
    statements = owner.defn.defs.body if isinstance(owner, TypeInfo) else owner.defs
    return [each for each in statements if not isinstance(each, ClassDef | Decorator | FuncDef | OverloadedFuncDef)]


def _is_ours(fullname: str) -> bool:
    return fullname.startswith(tuple(f"{each}." for each in PACKAGES))


def _module_of(fullname: str) -> MypyFile:
    """The module in which something of ours is defined."""
    while fullname not in _code().modules:
        fullname = fullname.rpartition(".")[0]
    return _code().modules[fullname]


def _member(kind: TypeInfo, name: str) -> Node | None:
    found = kind.get(name)
    return found.node if found is not None else None


def _kinds(expression: Expression) -> Iterator[TypeInfo | None]:
    """The classes that an expression may be of, None where its type does not say."""
    if isinstance(expression, RefExpr) and isinstance(expression.node, MypyFile):
        return
    yield from _classes(_code().types.get(expression))


def _classes(of: Type | None) -> Iterator[TypeInfo | None]:
    found = proper(of) if of is not None else None
    match found:
        case None | AnyType():
            yield None
        case UnionType():
            for item in found.items:
                yield from _classes(item)
        case Instance():
            yield found.type
        case TupleType():
            yield found.partial_fallback.type
        case TypeVarType():
            yield from _classes(found.upper_bound)
        case TypeType():
            yield from _classes(found.item)
        case CallableType() | Overloaded() if found.is_type_obj():
            yield found.type_object()
