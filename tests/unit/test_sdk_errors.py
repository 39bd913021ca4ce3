"""What the SDKs raise, in our three classes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    IncompleteReadError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseTimeoutError,
)
from azure.identity import CredentialUnavailableError
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError

from shared.adapters.aws import errors as aws
from shared.adapters.azure import errors as azure
from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError

NOT_READY = (
    "error occured for security connector: Identity provider is missing from AWS account/s 012345678901, please"
    " check your Cloud Formation template"
)


class Answer:
    """An answer as the SDK's transports give it."""

    def __init__(self, status: int, body: Any = "", headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.reason = "reason"
        self.headers = headers or {}
        self._text = body if isinstance(body, str) else json.dumps(body)

    def text(self) -> str:
        return self._text


def refusal(
    status: int,
    body: Any = "",
    headers: dict[str, str] | None = None,
    kind: type[HttpResponseError] = HttpResponseError,
) -> HttpResponseError:
    answer: Any = Answer(status, body, headers)
    return kind(message="said the SDK", response=answer)


def arm(code: str, message: str = "words") -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def connector(message: str) -> dict[str, Any]:
    return {"statusCode": 400, "errorMessage": message, "errorCorrelation": "00000000-0000-4000-8000-0000000000cc"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal(429, arm("TooManyRequests")), TransientError),
        (refusal(429, "plain words"), TransientError),
        (refusal(408), TransientError),
        (refusal(500), TransientError),
        (refusal(503, "<html>"), TransientError),
        (refusal(401, arm("ExpiredAuthenticationToken"), kind=ClientAuthenticationError), TransientError),
        (refusal(401, arm("AuthenticationFailed"), kind=ClientAuthenticationError), ConfigurationError),
        (refusal(403, arm("AuthorizationFailed")), TransientError),
        (refusal(403, arm("RequestDisallowedByPolicy")), PermanentError),
        (refusal(404, arm("ResourceGroupNotFound"), kind=ResourceNotFoundError), ConfigurationError),
        (refusal(404, arm("SubscriptionNotFound"), kind=ResourceNotFoundError), ConfigurationError),
        (refusal(404, arm("TableNotFound"), kind=ResourceNotFoundError), ConfigurationError),
        (refusal(404, "", {"x-ms-error-code": "QueueNotFound"}, ResourceNotFoundError), ConfigurationError),
        (refusal(409, arm("MissingSubscriptionRegistration")), ConfigurationError),
        (refusal(409, arm("Conflict")), PermanentError),
        (refusal(400, connector(NOT_READY)), TransientError),
        (refusal(400, connector("There is a problem with authenticating to your GCP project 1")), TransientError),
        (refusal(400, connector("IAM role(s) do not exist or are invalid")), TransientError),
        (refusal(400, connector("offerings are invalid")), PermanentError),
        (refusal(400, arm("BadRequest", NOT_READY)), PermanentError),
        (refusal(413, arm("RequestBodyTooLarge")), PermanentError),
        (refusal(200, "cut", kind=IncompleteReadError), TransientError),
        (refusal(200, "<html>", kind=DecodeError), TransientError),
        (ServiceRequestError("no connection"), TransientError),
        (ServiceResponseTimeoutError("no answer"), TransientError),
        (CredentialUnavailableError("no managed identity"), ConfigurationError),
        (ClientAuthenticationError("nobody is logged in"), ConfigurationError),
    ],
)
def test_azure_s_failures_are_told_apart_by_status_and_code(error: AzureError, kind: type[RollcallError]) -> None:
    assert type(azure.translate(error, "PUT it")) is kind


@pytest.mark.parametrize(
    ("status", "number", "kind"),
    [
        (401, 700213, TransientError),
        (401, 700211, TransientError),
        (401, 7002137, TransientError),
        (400, 70021, TransientError),
        (401, 7000215, ConfigurationError),
        (400, 700016, ConfigurationError),
        (401, 700024, ConfigurationError),
        (429, 90055, TransientError),
        (503, 90033, TransientError),
    ],
)
def test_entra_s_refusals_are_read_by_number_though_their_answer_is_attached(
    status: int, number: int, kind: type[RollcallError]
) -> None:
    said = f"AADSTS{number}: words."
    body = {"error": "invalid_client", "error_description": said, "error_codes": [number]}
    error = refusal(status, body, kind=ClientAuthenticationError)
    error.message = f"Authentication failed: {said}"
    assert type(azure.translate(error, "put a message")) is kind


def test_the_wait_that_a_service_asks_for_is_kept() -> None:
    error = azure.translate(refusal(429, "", {"Retry-After": "17"}), "PUT it")
    assert isinstance(error, TransientError)
    assert error.retry_after_seconds == 17
    odd = azure.translate(refusal(429, "", {"Retry-After": "Fri, 20 Nov 2026 12:00:00 GMT"}), "PUT it")
    assert isinstance(odd, TransientError)
    assert odd.retry_after_seconds is None


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (arm("AuthorizationFailed", "words"), "AuthorizationFailed", "words"),
        (connector("words"), "", "words"),
        ({"HttpStatusCode": 404, "ErrorCode": "NotFound", "Message": "words"}, "NotFound", "words"),
        ({"code": "PreconditionFailed", "message": "words"}, "PreconditionFailed", "words"),
        ({"Code": "Forbidden", "Message": "words", "Details": []}, "Forbidden", "words"),
        ({"error": "invalid_client", "error_description": "AADSTS1"}, "", None),
        ("plain words", "", "plain words"),
        ("[1]", "", "[1]"),
        ({}, "", "{}"),
        ("", "", "said the SDK"),
    ],
)
def test_every_known_envelope_is_read_and_an_unknown_one_never_fails(body: Any, code: str, message: str | None) -> None:
    failure = azure.read_failure(refusal(418, body))
    assert (failure.status, failure.code) == (418, code)
    assert message is None or message in failure.message


def test_the_service_s_own_words_and_correlation_reach_the_reason() -> None:
    error = azure.translate(refusal(400, connector(NOT_READY)), "PUT aws-012345678901")
    assert error.reason.startswith("PUT aws-012345678901: 400")
    assert "Identity provider is missing" in error.reason
    assert "00000000-0000-4000-8000-0000000000cc" in error.reason


def test_only_our_errors_leave_a_block_that_speaks_with_azure() -> None:
    with pytest.raises(TransientError) as raised, azure.translated("GET it"):
        raise refusal(500)
    assert isinstance(raised.value.__cause__, HttpResponseError)
    with pytest.raises(TransientError, match=r"of another shape .*KeyError") as raised, azure.translated("GET it"):
        raise KeyError("a field")
    assert raised.value.key == "unreadable-answer"
    with pytest.raises(RuntimeError), azure.translated("GET it"):
        raise RuntimeError("ours")


def client_error(code: str, status: int = 400, message: str = "words") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item] # as short as botocore itself allows
        "Operation",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("ThrottlingException"), TransientError),
        (client_error("OperationInProgressException"), TransientError),
        (client_error("StaleRequestException"), TransientError),
        (client_error("OptInRequired"), TransientError),
        (client_error("SubscriptionRequiredException"), TransientError),
        (client_error("LimitExceededException"), TransientError),
        (client_error("Whatever", 503), TransientError),
        (client_error("AccessDenied", 403), ConfigurationError),
        (client_error("StackSetNotFoundException", 404), ConfigurationError),
        (client_error("OutboundWebIdentityFederationDisabledException"), ConfigurationError),
        (
            client_error("ValidationError", message="You must enable organizations access to operate a service"),
            ConfigurationError,
        ),
        (client_error("ValidationError"), PermanentError),
        (client_error("Whatever", 400), PermanentError),
        (EndpointConnectionError(endpoint_url="x"), TransientError),
        (NoCredentialsError(), ConfigurationError),
        (ParamValidationError(report="x"), PermanentError),
    ],
)
def test_aws_s_failures_are_told_apart_by_code(error: Any, kind: type[RollcallError]) -> None:
    assert type(aws.translate(error, "deploy")) is kind


def test_only_our_errors_leave_a_block_that_speaks_with_aws() -> None:
    with pytest.raises(TransientError, match="deploy: ThrottlingException words"), aws.translated("deploy"):
        raise client_error("ThrottlingException")
