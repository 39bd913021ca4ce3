"""An Azure of the sandbox with a made-up AWS beside it, for tests that need no real overlay."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from werkzeug import Request, Response

from sandbox.azure.aws_verification import CSPM_AUDIENCE, PROVIDER
from sandbox.azure.cloud import AzureCloud
from sandbox.azure.directory import FUNCTIONS
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.journal import Journal
from sandbox.serving import Service

ACCOUNT_ID = "012345678901"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/CspmMonitorAws"
SENDER_ROLE = "arn:aws:iam::123456789012:role/stack-events"

DEFAULT_ROLES = (
    "CspmMonitorAws",
    "DefenderForCloud-AgentlessScanner",
    "DefenderForCloud-ArcAutoProvisioning",
    "DefenderForCloud-Ciem",
    "DefenderForCloud-Containers-K8s",
    "DefenderForCloud-Containers-K8s-cloudwatch-to-kinesis",
    "DefenderForCloud-Containers-K8s-kinesis-to-s3",
    "DefenderForCloud-DataCollection",
    "DefenderForCloud-DataSecurityPostureDB",
    "DefenderForCloud-DataThreatProtectionDB",
    "DefenderForCloud-DefenderForServers",
    "DefenderForCloud-OidcCiem",
    "MDCContainersAgentlessDiscoveryK8sRole",
    "MDCContainersImageAssessmentRole",
    "SensitiveDataDiscovery",
)
"""The default names of the roles that Defender's plans use.

Source: Microsoft Defender for Cloud, permissions of the AWS connector's template.
"""


@dataclass
class Provider:
    url: str = f"https://{PROVIDER}"
    client_ids: tuple[str, ...] = (CSPM_AUDIENCE,)


@dataclass
class Role:
    arn: str
    trust_policy: dict[str, Any]


@dataclass
class Account:
    oidc_providers: list[Provider] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)


def trusting_role(tenant_id: str, arn: str = ROLE_ARN) -> Role:
    """The CSPM role as the member template makes it."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{PROVIDER}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringLike": {
                f"{PROVIDER}:aud": CSPM_AUDIENCE,
                "sts:RoleSessionName": f"MicrosoftDefenderForClouds_{tenant_id}",
            }
        },
    }
    return Role(arn, {"Version": "2012-10-17", "Statement": [statement]})


class Issuer:
    """A foreign token issuer over https, as AWS STS is one."""

    def __init__(self, certificates: Certificates) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._service = Service(self._answer, tls=certificates.server_context()).start()
        self.url = self._service.url

    def _answer(self, environ: Any, start_response: Any) -> Any:
        path = Request(environ).path
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True) | {"kid": "1", "alg": "RS256"}
        documents = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"},
            "/jwks": {"keys": [key]},
        }
        return Response(json.dumps(documents[path]), content_type="application/json")(environ, start_response)

    def token(self, *, key: rsa.RSAPrivateKey | None = None, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": SENDER_ROLE,
            "aud": "api://AzureADTokenExchange",
            "iat": now,
            "exp": now + 300,
        }
        return jwt.encode(claims | changes, key or self._key, algorithm="RS256", headers={"kid": "1"})

    def stop(self) -> None:
        self._service.stop()


@dataclass
class World:
    """Azure, and the AWS accounts that it finds."""

    azure: AzureCloud
    journal: Journal
    certificates: Certificates
    accounts: dict[str, Account]

    @property
    def subscription(self) -> str:
        """The resource id of the sandbox's subscription."""
        return f"/subscriptions/{self.azure.subscription_id}"

    @property
    def group(self) -> str:
        """The resource id of the connectors' resource group."""
        return f"{self.subscription}/resourceGroups/rg-defender-connectors"

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str,
        identity: str = FUNCTIONS,
        **query: str,
    ) -> requests.Response:
        """One request to Resource Manager with a token of a named identity."""
        return requests.request(
            method,
            f"{self.azure.arm_url}{path}",
            params={"api-version": version} | {f"${name}": value for name, value in query.items()},
            json=body,
            headers={"Authorization": f"Bearer {self.azure.mint(identity, 'https://management.azure.com')}"},
            timeout=10,
        )

    def prepare(self, account_id: str = ACCOUNT_ID) -> None:
        """Gives an account the provider and every role that a plan may ask for."""
        tenant_id = self.azure.directory.tenant_id
        roles = [trusting_role(tenant_id, f"arn:aws:iam::{account_id}:role/{name}") for name in DEFAULT_ROLES]
        self.accounts[account_id] = Account([Provider()], roles)


def start_world(folder: Path, **settings: Any) -> World:
    """Starts everything in a folder; the caller stops `azure`."""
    journal, certificates = Journal(), Certificates(folder / "certificates")
    accounts: dict[str, Account] = {}

    def inspect(account_id: str, *, tenant_id: str) -> Account | None:
        return accounts.get(account_id)

    chosen = SandboxSettings(folder=folder, **settings)
    azure = AzureCloud(journal, chosen, certificates, inspect).start()
    return World(azure, journal, certificates, accounts)
