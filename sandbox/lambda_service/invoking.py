"""Invoke of the Lambda API, answered by the functions that run here instead of by a container of moto's.

Source: Lambda API reference 2015-03-31, Invoke: RequestResponse, `X-Amz-Function-Error` where the function failed.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse

from sandbox.aws.errors import AwsError
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
            raise AwsError(
                "InvalidParameterValueException", f"The sandbox does not simulate the invocation type {kind}."
            )
        function = find(name.rpartition(":")[2])
        if function is None:
            raise AwsError("ResourceNotFoundException", f"Function not found: {name}")
        _, result = function.invoke(self.body.encode() if isinstance(self.body, str) else self.body)
        headers = {"content-type": "application/json", "x-amz-executed-version": "$LATEST"}
        if result.failed:
            headers["x-amz-function-error"] = "Unhandled"
        return 200, headers, result.payload

    return Patches([Patch(LambdaResponse, "invoke", invoke)])
