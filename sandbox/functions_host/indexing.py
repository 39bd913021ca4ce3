"""Finds an app's functions as the Python worker does, and refuses what this host could only pretend to run.

Source: the worker's `index_function_app` and `Registry.add_indexed_function` (package azure-functions-runtime).
"""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from azure.functions import Context, FunctionRegister
from azure.functions.decorators.function_app import Function
from azure.functions.http import HttpRequestConverter
from azure.functions.queue import QueueMessageInConverter
from azure.functions.timer import TimerRequestConverter

from sandbox.functions_host.app_settings import AppSettings
from sandbox.functions_host.errors import HostRefusalError

TriggerKind = Literal["queueTrigger", "timerTrigger", "httpTrigger"]
AnnotationCheck = Callable[[type], bool]
_CHECKS: dict[str, AnnotationCheck] = {
    "queueTrigger": QueueMessageInConverter.check_input_type_annotation,
    "timerTrigger": TimerRequestConverter.check_input_type_annotation,
    "httpTrigger": HttpRequestConverter.check_input_type_annotation,
}


@dataclass(frozen=True)
class HostedFunction:
    """One function of the app. `trigger` is its function.json form, `%SETTING%` already replaced."""

    name: str
    kind: TriggerKind
    target: Callable[..., Any]
    argument: str
    trigger: Mapping[str, Any]
    bindings: tuple[str, ...]  # the function.json form of every binding, as the worker reports it
    wants_context: bool
    returns_response: bool

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop."""
        return inspect.iscoroutinefunction(self.target)


def index_app(root: Path, settings: AppSettings) -> list[HostedFunction]:
    """Imports `root`/function_app.py and returns its functions.

    Raises:
        HostRefusalError: the app is not there or not usable by this host. Errors of the app's own import pass.
    """
    if not (root / "function_app.py").exists():
        raise HostRefusalError(f"there is no function_app.py in {root}")
    sys.path.insert(0, str(root))
    module = importlib.import_module("function_app")
    apps = {id(value): value for value in vars(module).values() if isinstance(value, FunctionRegister)}
    if len(apps) != 1:
        raise HostRefusalError(f"function_app.py defines {len(apps)} function apps; it must define one")
    try:
        functions = next(iter(apps.values())).get_functions()
    except ValueError as error:  # azure.functions: no trigger, or a name given twice
        raise HostRefusalError(str(error)) from error
    if not functions:
        raise HostRefusalError("the app has no functions")
    return [_hosted(function, settings) for function in functions]


def _hosted(function: Function, settings: AppSettings) -> HostedFunction:
    name = str(function.get_function_name())
    trigger = function.get_trigger()
    if trigger is None or trigger.type not in _CHECKS:
        raise HostRefusalError(f"{name}: this host does not know the trigger {trigger and trigger.type}")
    for binding in function.get_bindings():
        if binding is not trigger and not (binding.type == "http" and binding.name == "$return"):
            raise HostRefusalError(f"{name}: this host does not know the binding {binding.type} {binding.name}")
    if function.get_setting("retry_policy") is not None:
        raise HostRefusalError(f"{name}: this host does not know retry policies")
    target = function.get_user_function()
    resolved = {
        key: settings.resolve(value) if isinstance(value, str) else value
        for key, value in trigger.get_dict_repr().items()
    }
    kind = cast(TriggerKind, trigger.type)
    return HostedFunction(
        name=name,
        kind=kind,
        target=target,
        argument=trigger.name,
        trigger=resolved,
        bindings=tuple(function.get_raw_bindings()),
        wants_context=_wants_context(name, target, trigger.name, _CHECKS[kind]),
        returns_response=kind == "httpTrigger",
    )


def _wants_context(name: str, target: Callable[..., Any], argument: str, check: AnnotationCheck) -> bool:
    """Checks a function's parameters as the worker does; true where it has one named `context`."""
    hints = typing.get_type_hints(target)
    parameters = set(inspect.signature(target).parameters)
    if argument not in parameters or parameters - {argument, "context"}:
        raise HostRefusalError(f"{name}: its parameters are {sorted(parameters)}, its binding is {argument!r}")
    annotation = hints.get(argument)
    if annotation is not None and not (isinstance(annotation, type) and check(annotation)):
        raise HostRefusalError(f"{name}: {argument} is annotated {annotation}, which its trigger does not give")
    if "context" in parameters and not issubclass(hints.get("context", Context), Context):
        raise HostRefusalError(f"{name}: context must be annotated azure.functions.Context")
    return "context" in parameters
