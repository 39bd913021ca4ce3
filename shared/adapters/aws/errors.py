"""AWS's failures in our three classes: what an answer says, and what the table of refusals makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from shared.adapters.aws import refusals
from shared.adapters.shapes import SHAPE_ERRORS, P, R, misread, reads_answers
from shared.errors import RollcallError

_NOT_SIGNED_IN = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    LoginError,
)
"""What a shell meets whose sign-in is over or was never there; the message has botocore's own advice."""


def error_code(error: ClientError) -> str:
    """The service's own code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def translate(error: ClientError | BotoCoreError, doing: str) -> RollcallError:
    """The error of ours that stands for `error`; `doing` says what was tried."""
    if isinstance(error, _NOT_SIGNED_IN):
        return refusals.CREDENTIALS.error(f"{doing}: no AWS credentials ({type(error).__name__}): {error}")
    if isinstance(error, ParamValidationError):
        return refusals.BAD_REQUEST.error(f"{doing}: {error}")
    if isinstance(error, BotoCoreError):
        return refusals.NO_ANSWER.error(f"{doing}: no answer ({type(error).__name__})")
    code = error_code(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return refusals.diagnose(status, code, message).error(f"{doing}: {code} {message}".strip())


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Lets only our errors out of a block that speaks with AWS and takes out of its answer what is always in it."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise translate(error, doing) from error
    except ResponseParserError as error:  # no BotoCoreError: botocore 1.44 `parsers`
        raise refusals.NO_ANSWER.error(f"{doing}: an answer that cannot be read") from error
    except (KeyError, IndexError) as error:  # botocore makes {} of a JSON service's answer that is no JSON
        raise refusals.NO_ANSWER.error(f"{doing}: an answer without {error}") from error
    except SHAPE_ERRORS as error:  # botocore's parsers trust the service to speak UTF-8 and its own shapes
        raise misread(error, doing, refusals.NO_ANSWER) from error


def reads_aws(method: Callable[P, R]) -> Callable[P, R]:
    """A method that takes answers of AWS apart."""
    return reads_answers(refusals.NO_ANSWER)(method)
