"""Invoke of the Lambda API, answered by the functions that run here instead of by a container of moto's.

Source: Lambda API reference 2015-03-31, Invoke: RequestResponse, `X-Amz-Function-Error` where the function failed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse

from sandbox.aws.patching import Patch, Patches
from sandbox.lambda_service.function import Function

_SYNCHRONOUS = "RequestResponse"
Answer = tuple[int, dict[str, str], str | bytes]


def invoking(find: Callable[[str], Function | None]) -> Patches:
    """The patch; `find` gives the function of a name or ARN."""

    def invoke(self: LambdaResponse) -> Answer:
        name = unquote(self.path.rsplit("/", 2)[-2])
        kind = self.headers.get("X-Amz-Invocation-Type") or _SYNCHRONOUS
        if kind != _SYNCHRONOUS:
            message = f"The sandbox does not simulate the invocation type {kind}."
            return 501, {"x-amzn-ErrorType": "NotImplemented"}, json.dumps({"Message": message})
        function = find(name.rpartition(":")[2])
        if function is None:
            message = f"Function not found: {name}"
            return (
                404,
                {"x-amzn-ErrorType": "ResourceNotFoundException"},
                json.dumps({"Type": "User", "Message": message}),
            )
        _, result = function.invoke(self.body.encode() if isinstance(self.body, str) else self.body)
        headers = {"content-type": "application/json", "x-amz-executed-version": "$LATEST"}
        if result.failed:
            headers["x-amz-function-error"] = "Unhandled"
        return 200, headers, result.payload

    return Patches([Patch(LambdaResponse, "invoke", invoke)])
