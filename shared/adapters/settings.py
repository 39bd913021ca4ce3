"""Settings as every rim reads them: what is wrong is told by its variable, and sovereign clouds are refused."""

from __future__ import annotations

from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings

from shared.errors import ConfigurationError

_SOVEREIGN_HOSTS = (
    ".usgovcloudapi.net",
    ".chinacloudapi.cn",
    ".microsoftazure.de",
    "login.microsoftonline.us",
    ".partner.microsoftonline.cn",
)
_SOVEREIGN_REGIONS = ("us-gov-", "cn-", "us-iso", "eu-isoe-")
_WORKLOAD_PROVIDER = (
    r"//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[^/]+/providers/[^/]+"
)
S = TypeVar("S", bound=BaseSettings)


def _public_azure(url: str) -> str:
    host = f".{(urlsplit(url).hostname or '').lower()}"
    if host.endswith(_SOVEREIGN_HOSTS) or host.lstrip(".") in _SOVEREIGN_HOSTS:
        raise ValueError("connectors for AWS and GCP exist in public Azure only, not in Azure Government or China")
    return url


def _commercial_aws(region: str) -> str:
    if region.startswith(_SOVEREIGN_REGIONS):
        raise ValueError("Defender for Cloud connects accounts of AWS's commercial partition only")
    return region


AzureUrl = Annotated[str, Field(pattern=r"^https://"), AfterValidator(_public_azure)]
"""An https address of public Azure. Source: Microsoft Defender for Cloud, support matrix by cloud."""

CommercialRegion = Annotated[str, AfterValidator(_commercial_aws)]
"""A region of the commercial partition. Source: Microsoft Defender for Cloud, "Connect your AWS account"."""


GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"
"""Where Google publishes the keys of its ID tokens. Source: Google's OpenID Connect discovery document, `jwks_uri`."""


class GcpSettings(BaseModel):
    """`ROLLCALL_GCP__*`: how Google Cloud and Rollcall know each other.

    `audience` is our provider there; `token_resource` the application in Entra whose tokens that provider takes. With
    `endpoint`, a sandbox's, each service is found at `{endpoint}/{service}`; without it at Google's own hosts.
    """

    model_config = ConfigDict(frozen=True)

    audience: str = Field(default="", pattern=rf"^$|^{_WORKLOAD_PROVIDER}$")
    service_account: str = Field(default="", pattern=r"^$|^[^@/\s]+@[^@/\s]+$")
    token_resource: str = Field(default="api://rollcall-gcp", min_length=1)
    endpoint: str = Field(default="", pattern=r"^(https://.+)?$")
    push_audience: str = ""
    push_service_account: str = Field(default="", pattern=r"^$|^[^@\s]+@[^@\s]+$")
    certs_url: str = Field(default=GOOGLE_KEYS, pattern=r"^https://")


def read_settings(kind: type[S], *, remedy: str = "") -> S:
    """The settings of this process. Raises ConfigurationError that names what is missing or wrong, and why."""
    try:
        return kind()
    except ValidationError as error:
        wrong = [(_variable(item["loc"]), item) for item in error.errors()]
        names = ", ".join(name for name, _ in wrong)
        said = "; ".join(
            name if item["type"] == "missing" else f"{name}: {str(item['msg']).removeprefix('Value error, ')}"
            for name, item in wrong
        )
        raise ConfigurationError(f"settings missing or wrong: {said}", setting=names, remedy=remedy) from error


def _variable(loc: tuple[int | str, ...]) -> str:
    name = "__".join(map(str, loc)).upper()
    return name if name.startswith("AWS_") else f"ROLLCALL_{name}"
