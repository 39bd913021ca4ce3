"""AWS's failures in our three classes, by error code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ParamValidationError

from shared.errors import ConfigurationError, PermanentError, RollcallError, TransientError

_TRANSIENT = frozenset(
    {
        "ConcurrentModificationException",
        "InternalError",
        "InternalFailure",
        "LimitExceededException",
        "OperationInProgressException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceException",
        "ServiceUnavailable",
        "SlowDown",
        "StaleRequestException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "OptInRequired",
        "SubscriptionRequiredException",
    }
)
_CONFIGURATION = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AWSOrganizationsNotInUseException",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "NoSuchBucket",
        "NoSuchKey",
        "OutboundWebIdentityFederationDisabledException",
        "StackSetNotFoundException",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
_FIRST_SERVER_ERROR = 500


def error_code(error: ClientError) -> str:
    """The service's own code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def translate(error: ClientError | BotoCoreError, doing: str) -> RollcallError:
    """The error of ours that stands for `error`; `doing` says what was tried."""
    if isinstance(error, NoCredentialsError):
        return ConfigurationError(f"{doing}: no AWS credentials", setting="the AWS credentials")
    if isinstance(error, ParamValidationError):
        return PermanentError(f"{doing}: {error}")
    if isinstance(error, BotoCoreError):
        return TransientError(f"{doing}: no answer ({type(error).__name__})")
    code = error_code(error)
    message = error.response.get("Error", {}).get("Message", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f"{doing}: {code} {message}".strip()
    if code in _TRANSIENT or status >= _FIRST_SERVER_ERROR:
        return TransientError(said)
    if code in _CONFIGURATION or "must enable organizations access" in str(message):
        return ConfigurationError(said, setting="the permissions or settings of the management account")
    return PermanentError(said, remedy="Read AWS's message; correct the cause and send the account again.")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Lets only our errors out of a block that speaks with AWS."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing) from error
