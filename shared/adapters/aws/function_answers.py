"""What the Lambda functions say of themselves. Source: Lambda API 2015-03-31, Invoke (RequestResponse)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated
from shared.domain.doctor.catalogue import CHECKS
from shared.domain.doctor.verdicts import Verdict
from shared.errors import PermanentError
from shared.messages.doctor_findings import read_findings
from shared.messages.doctor_request import REQUEST

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient


class LambdaFunctions:
    """Functions of the stack, by their names."""

    def __init__(self, lambda_: LambdaClient) -> None:
        """The caller needs lambda:InvokeFunction on them."""
        self._client = lambda_

    def ask(self, function: str) -> Iterable[Verdict]:
        """One synchronous invocation. Raises PermanentError where the answer is none."""
        with translated(f"ask function {function}"):
            answer = self._client.invoke(FunctionName=function, Payload=json.dumps(REQUEST).encode())
            content, fault = answer["Payload"].read(), answer.get("FunctionError")
        if fault:
            raise PermanentError(
                f"function {function} ends with an error: {_message(content)}",
                remedy=f"See its log /aws/lambda/{function}; one of before knows nothing of this: deploy it.",
            )
        try:
            return list(read_findings(content, CHECKS))
        except ValueError as error:
            raise PermanentError(
                f"what function {function} answers cannot be read ({error})",
                remedy="Use the command line of its own version.",
            ) from error


def _message(content: bytes) -> str:
    try:
        found = json.loads(content)
    except ValueError:
        return "no JSON"
    return str(found.get("errorMessage", "no message"))[:300] if isinstance(found, dict) else "no message"
