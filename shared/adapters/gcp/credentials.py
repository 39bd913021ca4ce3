"""Who we are on Google Cloud: the managed identity's token, exchanged, and then a service account for an hour.

No key is stored. Source: google-auth 2.63, `identity_pool` with a supplier of subject tokens; IAM "Workload identity
federation with other clouds", Azure; RFC 8693. Tokens are kept until shortly before they end.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import requests
from azure.core.credentials import TokenCredential
from google.auth import default, identity_pool
from google.auth.exceptions import GoogleAuthError
from google.auth.external_account import SupplierContext
from google.auth.transport import Request, Response
from google.auth.transport.requests import AuthorizedSession
from google.auth.transport.requests import Request as GoogleRequest
from google.oauth2.credentials import Credentials

from shared.adapters.azure.errors import translated
from shared.adapters.gcp import refusals
from shared.adapters.gcp.errors import read_failure, refusal, text_of
from shared.adapters.gcp.hosts import host_of
from shared.adapters.settings import GcpSettings
from shared.errors import ConfigurationError, PermanentError

TOKEN_LIFETIME_SECONDS = 3600
TIMEOUT_SECONDS = (5.0, 20.0)  # to connect, to read
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GENERATE = ":generateAccessToken"
ACCESS_VARIABLE = "GOOGLE_OAUTH_ACCESS_TOKEN"
_JWT = "urn:ietf:params:oauth:token-type:jwt"


class _EntraToken(identity_pool.SubjectTokenSupplier):
    """The token of our managed identity, for the audience that our provider at Google takes."""

    def __init__(self, credential: TokenCredential, resource: str) -> None:
        self._credential = credential
        self._resource = resource

    def get_subject_token(self, context: SupplierContext, request: Request) -> str:
        """A token of Entra; azure-identity keeps it. Raises TransientError, ConfigurationError."""
        with translated("ask Entra for a token for Google"):
            return self._credential.get_token(f"{self._resource}/.default").token


class _Answer(Response):
    """An answer of a token service, as google-auth reads it."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def headers(self) -> Any:
        return self._response.headers

    @property
    def data(self) -> bytes:
        return self._response.content


class TokenRequest(Request):
    """Asks the two token services; lets only our errors out, by status and code, where google-auth keeps but words."""

    def __init__(self, session: requests.Session | None = None) -> None:
        """`session` has the connections for both; a new one where none is given."""
        self._session = session or requests.Session()

    def __call__(  # noqa: PLR0913, PLR0917 - google-auth's own signature
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Any = None,
        timeout: Any = None,
        **_: Any,
    ) -> Response:
        """One request. Raises TransientError, ConfigurationError."""
        exchanging = not url.endswith(_GENERATE)
        account = url.rpartition("/")[2].removesuffix(_GENERATE)
        doing = "exchange Entra's token at Google" if exchanging else f"become {account}"
        try:
            response = self._session.request(
                method, url, data=body, headers=headers, timeout=timeout or TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            raise refusals.NO_ANSWER.error(f"{doing}: no answer ({type(error).__name__})") from error
        if response.status_code != requests.codes.ok:
            raise self._refused(response, doing, exchanging=exchanging)
        if not _is_token(response.content):
            raise refusals.NO_ANSWER.error(f"{doing}: an answer without a token")
        return _Answer(response)

    @staticmethod
    def _refused(response: requests.Response, doing: str, *, exchanging: bool) -> Exception:
        failure = read_failure(response.status_code, text_of(response.content))
        if not exchanging and response.status_code == requests.codes.not_found and failure.legible:
            return refusals.SERVICE_ACCOUNT_MISSING.error(f"{doing}: 404 {failure.message}")
        error = refusal(failure, doing, retry_after=response.headers.get("Retry-After"))
        if isinstance(error, PermanentError):  # without a token nothing works, for no account
            return refusals.TOKEN_REFUSED.error(error.reason)
        return error


def _is_token(content: bytes) -> bool:
    """Whether google-auth can go on with it: it takes both fields for granted."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(body, dict):
        return False
    return {"access_token", "expires_in"} <= body.keys() or {"accessToken", "expireTime"} <= body.keys()


@dataclass(frozen=True, kw_only=True)
class GoogleIdentity:
    """Who we want to be, and how we get there.

    `audience` is our provider at Google, `//iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/…`;
    `resource` the application in Entra whose tokens it takes, `api://…`; `service_account` an e-mail address;
    `endpoint` a sandbox's, empty for Google's own hosts.
    """

    audience: str
    resource: str
    service_account: str
    endpoint: str = ""


def identity_of(settings: GcpSettings) -> GoogleIdentity:
    """Who the settings say that we are. Raises ConfigurationError where they do not."""
    for name in ("audience", "service_account"):
        if not getattr(settings, name):
            variable = f"ROLLCALL_GCP__{name.upper()}"
            remedy = f"Set {variable} to what infra/gcp puts out."
            raise ConfigurationError("nobody says who Rollcall is at Google", setting=variable, remedy=remedy)
    return GoogleIdentity(
        audience=settings.audience,
        resource=settings.token_resource,
        service_account=settings.service_account,
        endpoint=settings.endpoint,
    )


def federated_session(
    credential: TokenCredential, identity: GoogleIdentity, token_request: TokenRequest | None = None
) -> AuthorizedSession:
    """A session that is the service account to Google; nothing is asked before its first request.

    `credential` is the managed identity's.
    """
    endpoint = identity.endpoint
    account = f"projects/-/serviceAccounts/{identity.service_account}"
    credentials = identity_pool.Credentials(
        audience=identity.audience,
        subject_token_type=_JWT,
        token_url=f"{host_of('sts', endpoint)}/v1/token",
        subject_token_supplier=_EntraToken(credential, identity.resource),
        service_account_impersonation_url=f"{host_of('iamcredentials', endpoint)}/v1/{account}{_GENERATE}",
        service_account_impersonation_options={"token_lifetime_seconds": TOKEN_LIFETIME_SECONDS},
        scopes=[_SCOPE],
    )
    return AuthorizedSession(credentials, max_refresh_attempts=1, auth_request=token_request or TokenRequest())


def operators_session() -> AuthorizedSession:
    """A session of whoever sits at this shell: by the access token in `GOOGLE_OAUTH_ACCESS_TOKEN`, or by default.

    Raises ConfigurationError where there is neither, or the default is of no use any more. Source: google-auth 2.63,
    `google.auth.default` (application default credentials); the variable is that of Terraform's provider `google`.
    """
    if token := os.environ.get(ACCESS_VARIABLE):
        return _for_the_shell(AuthorizedSession(Credentials(token), max_refresh_attempts=0))
    try:
        credentials, _ = default(scopes=[_SCOPE])
        credentials.refresh(GoogleRequest())
    except GoogleAuthError as error:
        remedy = f"Run `gcloud auth application-default login`, or set {ACCESS_VARIABLE} to an access token."
        reason = f"this shell has no credentials for Google Cloud that work ({type(error).__name__})"
        raise ConfigurationError(reason, setting=ACCESS_VARIABLE, remedy=remedy) from error
    return _for_the_shell(AuthorizedSession(credentials, max_refresh_attempts=1))


def _for_the_shell(session: AuthorizedSession) -> AuthorizedSession:
    """Whoever sits at the shell has to bring another token: nobody asks for one on their behalf."""
    session.hooks["response"].append(_refuse_expired)
    return session


def _refuse_expired(response: requests.Response, **_: Any) -> None:
    """Raises ConfigurationError where Google takes the token for none."""
    if response.status_code == requests.codes.unauthorized:
        raise ConfigurationError(
            f"Google refuses the credentials of this shell, or they have expired: {ACCESS_VARIABLE}, or the default",
            setting=ACCESS_VARIABLE,
            remedy=f"Set {ACCESS_VARIABLE} to what `gcloud auth print-access-token` prints now, or unset it and "
            "run `gcloud auth application-default login`.",
        )
