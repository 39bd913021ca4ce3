"""A token by which AWS vouches for the Lambda's role towards Entra. Source: STS API, GetWebIdentityToken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.adapters.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_sts.client import STSClient

AUDIENCE = "api://AzureADTokenExchange"
LIFETIME_SECONDS = 300


def web_identity_assertion(sts: STSClient) -> Callable[[], str]:
    """A function that returns a fresh RS256 token, the only algorithm that Entra's federation takes.

    `sts` has to be a regional client: the global endpoint does not know the operation.
    """

    def assertion() -> str:
        with translated("ask STS for a web identity token"):
            answer = sts.get_web_identity_token(
                Audience=[AUDIENCE], SigningAlgorithm="RS256", DurationSeconds=LIFETIME_SECONDS
            )
            return answer["WebIdentityToken"]

    return assertion
