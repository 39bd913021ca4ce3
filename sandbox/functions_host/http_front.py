"""The host's web server: HTTP triggers below the route prefix, and the part of the admin API that tools use.

Source: Microsoft Learn, "Azure Functions HTTP trigger" (routes) and "Manually run a non HTTP-triggered
function" (admin API).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from azure.functions.http import HttpRequestConverter, HttpResponseConverter
from azure.functions.meta import Datum
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sandbox.functions_host.errors import HostRefusalError
from sandbox.functions_host.indexing import HostedFunction
from sandbox.functions_host.invocation import FunctionTimeoutError, Invoker

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_PARAMETER = re.compile(r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?::(?P<kind>\w+))?(?P<optional>\?)?\}")
_CONVERTERS = {None: "default", "int": "int", "long": "int", "guid": "uuid", "alpha": "default"}
Runner = Callable[[HostedFunction, str | None], None]


def route_rules(prefix: str, route: str) -> list[str]:
    """The werkzeug rules of one route template; an optional last parameter makes two."""

    def converted(match: re.Match[str]) -> str:
        if match["rest"]:
            return f"<path:{match['name']}>"
        if match["kind"] not in _CONVERTERS:
            raise HostRefusalError(f"this host does not know the route constraint {match['kind']!r}")
        return f"<{_CONVERTERS[match['kind']]}:{match['name']}>"

    base = "/" + "/".join(part for part in (prefix.strip("/"), route.strip("/")) if part)
    rules = [_PARAMETER.sub(converted, base)]
    if re.search(r"\{[^}]*\?\}$|\{\*[^}]*\}$", base):
        rules.append(_PARAMETER.sub(converted, base.rsplit("/", 1)[0] or "/"))
    if "{" in "".join(rules):
        raise HostRefusalError(f"this host does not understand the route {route!r}")
    return rules


class HttpFront:
    """The WSGI application of the host."""

    def __init__(
        self, functions: Iterable[HostedFunction], invoker: Invoker, *, prefix: str, host_id: str, run: Runner
    ) -> None:
        """`run` starts a function that has no HTTP trigger, with the text of the admin request's `input`."""
        self._functions = {function.name: function for function in functions}
        self._invoker = invoker
        self._host_id = host_id
        self._run = run
        self._started = time.monotonic()
        rules = [
            Rule("/admin/host/status", endpoint=self._status, methods=["GET"]),
            Rule("/admin/functions", endpoint=self._list, methods=["GET"]),
            Rule("/admin/functions/<name>", endpoint=self._run_by_hand, methods=["POST"]),
        ]
        for function in self._functions.values():
            if function.kind == "httpTrigger":
                rules.extend(self._rules(function, prefix))
        self._routes = Map(rules, strict_slashes=False)

    def _rules(self, function: HostedFunction, prefix: str) -> list[Rule]:
        if str(function.trigger.get("authLevel")).lower() not in {"authlevel.anonymous", "anonymous"}:
            raise HostRefusalError(f"{function.name}: this host checks no keys; declare it anonymous")
        methods = function.trigger.get("methods")
        names = [str(getattr(method, "value", method)).upper() for method in methods] if methods else None

        def answer(request: Request, **route: Any) -> Response:
            return self._call(function, request, route)

        templates = route_rules(prefix, str(function.trigger["route"]))
        return [Rule(template, endpoint=answer, methods=names) for template in templates]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        request = Request(environ)
        try:
            endpoint, values = self._routes.bind_to_environ(environ).match()
            response = endpoint(request, **values)
        except HTTPException as refusal:
            response = Response(status=refusal.code)
        return response(environ, start_response)  # type: ignore[no-any-return] # werkzeug's endpoint is Any

    def _call(self, function: HostedFunction, request: Request, route: Mapping[str, Any]) -> Response:
        def text(values: Mapping[str, Any]) -> dict[str, Datum]:
            return {name: Datum(str(value), "string") for name, value in values.items()}

        datum = {
            "method": Datum(request.method, "string"),
            "url": Datum(request.url, "string"),
            "headers": text({name.lower(): value for name, value in request.headers.items()}),
            "query": text(request.args.to_dict()),
            "params": text(route),
            "body": Datum(request.get_data(), "bytes"),
        }
        value = HttpRequestConverter.decode(Datum(datum, "http"), trigger_metadata=None)
        try:
            ended = self._invoker.run(function, value, method=request.method, path=request.path)
        except FunctionTimeoutError:
            return Response(status=500)
        if ended.error is not None:
            return Response(status=500)
        return _response(ended.value())

    def _status(self, request: Request) -> Response:
        uptime = round((time.monotonic() - self._started) * 1000)
        return _json({"id": self._host_id, "state": "Running", "version": "4", "processUptime": uptime})

    def _list(self, request: Request) -> Response:
        return _json(
            [
                {
                    "name": function.name,
                    "config": {"bindings": [json.loads(binding) for binding in function.bindings]},
                    "isDisabled": False,
                    "language": "python",
                }
                for function in self._functions.values()
            ]
        )

    def _run_by_hand(self, request: Request, name: str) -> Response:
        function = self._functions.get(name)
        if function is None:
            return Response(status=404)
        if function.kind == "httpTrigger":
            return Response("call an HTTP trigger by its route\n", status=400)
        document = request.get_json(silent=True)
        if not isinstance(document, dict):
            return Response('the body must be {"input": "…"}\n', status=400)
        self._run(function, document.get("input"))
        return Response(status=202)


def _json(document: object) -> Response:
    return Response(json.dumps(document), mimetype="application/json")


def _response(value: object) -> Response:
    """What the worker makes of a function's return value; nothing returned is 204."""
    if value is None:
        return Response(status=204)
    datum = HttpResponseConverter.encode(value, expected_type=None)
    if datum.type == "string":
        return Response(datum.value, mimetype="text/plain")
    parts = datum.value
    response = Response(parts["body"].value, status=int(parts["status_code"].value))
    response.headers.clear()
    for name, header in parts["headers"].items():
        response.headers.add(name, header.value)
    for cookie in parts["cookies"] or []:
        for morsel in cookie.values():
            response.headers.add("Set-Cookie", morsel.OutputString())
    return response
