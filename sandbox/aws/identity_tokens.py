"""Outbound identity federation: STS tokens for other clouds, signed for real, and the issuer behind them.

Source: STS API reference 2011-06-15, GetWebIdentityToken; IAM user guide, "Outbound identity federation".
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from moto.awslambda.models import lambda_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.iam.responses import IamResponse
from moto.organizations.models import organizations_backends
from moto.sts.responses import TokenResponse
from werkzeug import Response

from sandbox.aws.active import PARTITION, REGION, active
from sandbox.aws.callers import Caller, caller_of
from sandbox.aws.errors import AwsError
from sandbox.aws.organizations import unit_path
from sandbox.aws.patching import Patch
from sandbox.azure.exchange import Endpoint, Exchange, json_response
from sandbox.certificates import Certificates
from sandbox.faults import Fault, FaultKind, Faults
from sandbox.journal import Journal
from sandbox.serving import Service

_NAMESPACE = "https://sts.amazonaws.com/"
_CONFIGURATION = "/.well-known/openid-configuration"
_KEYS = "/.well-known/jwks.json"
_ALGORITHMS = ("RS256", "ES384")


class TokenIssuer:
    """The issuer of one sandbox: a key per algorithm, and an address per account, over https."""

    def __init__(
        self, certificates: Certificates, journal: Journal | None = None, faults: Faults | None = None
    ) -> None:
        self._private: dict[str, Any] = {
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ES384": ec.generate_private_key(ec.SECP384R1()),
        }
        self._key_ids = {algorithm: str(uuid.uuid4()) for algorithm in _ALGORITHMS}
        application = Endpoint(
            "oidc-issuer", Journal() if journal is None else journal, self._answer, faults=faults, faulted=_faulted
        )
        self._service = Service(application, tls=certificates.server_context())
        self.enabled: set[str] = set()

    def start(self) -> None:
        """Starts to publish discovery documents and keys."""
        self._service.start()

    def stop(self) -> None:
        """Stops publishing."""
        self._service.stop()

    def url(self, account_id: str) -> str:
        """The issuer of an account, stable as long as the sandbox runs."""
        return f"{self._service.url}/{uuid.uuid5(uuid.NAMESPACE_DNS, account_id)}"

    def sign(self, claims: dict[str, Any], algorithm: str) -> str:
        """A signed token."""
        headers = {"kid": self._key_ids[algorithm]}
        return jwt.encode(claims, self._private[algorithm], algorithm=algorithm, headers=headers)

    def _jwks(self) -> dict[str, Any]:
        public = {
            "RS256": RSAAlgorithm.to_jwk(self._private["RS256"].public_key(), as_dict=True),
            "ES384": ECAlgorithm.to_jwk(self._private["ES384"].public_key(), as_dict=True),
        }
        extra = {name: {"kid": self._key_ids[name], "alg": name, "use": "sig"} for name in _ALGORITHMS}
        return {"keys": [_public(public[name]) | extra[name] for name in _ALGORITHMS]}

    def _answer(self, exchange: Exchange) -> Response:
        path = exchange.request.path
        issuer = f"{self._service.url}/{path.split('/')[1]}"
        if path.endswith(_CONFIGURATION):
            exchange.operation = "GetOpenIdConfiguration"
            exchange.admitted()
            document: dict[str, Any] = {
                "issuer": issuer,
                "jwks_uri": f"{issuer}{_KEYS}",
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": list(_ALGORITHMS),
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "jti", _NAMESPACE],
            }
            return json_response(200, document)
        if path.endswith(_KEYS):
            exchange.operation = "GetKeys"
            exchange.admitted()
            return json_response(200, self._jwks())
        return json_response(404, {})


def _faulted(_: Exchange, fault: Fault) -> Response:
    """429 or 503 in front of static documents; nobody has seen AWS's own."""
    throttles = fault.kind is FaultKind.THROTTLE
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = {"message": "Too Many Requests" if throttles else "Service Unavailable"}
    return json_response(429 if throttles else 503, body, headers)


def _public(key: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in key.items() if name != "key_ops"}


def _aws_claims(caller: Caller, region: str, tags: dict[str, str]) -> dict[str, Any]:
    claims: dict[str, Any] = {
        "aws_account": caller.account_id,
        "source_region": region,
        "principal_tags": {tag["Key"]: tag["Value"] for tag in caller.role.tags} if caller.role else {},
        "request_tags": tags,
    }
    management, _ = organizations_backends.master_accounts.get(caller.account_id, (caller.account_id, PARTITION))
    backend = organizations_backends[management][PARTITION]
    if backend.org is not None:
        account = backend.get_account_by_id(caller.account_id)
        claims["org_id"] = backend.org.id
        claims["ou_path"] = unit_path(backend, account.parent_id)
    if caller.role is not None:
        functions = lambda_backends[caller.account_id][REGION].list_functions()
        arns = [function.function_arn for function in functions if function.role == caller.arn]
        if len(arns) == 1:
            claims["lambda_source_function_arn"] = arns[0]
    return claims


def _get_web_identity_token(self: TokenResponse) -> ActionResult:
    issuer = active().issuer
    caller = caller_of(self.get_access_key())
    if caller.account_id not in issuer.enabled:
        message = "Outbound web identity federation is not enabled for this account."
        raise AwsError("OutboundWebIdentityFederationDisabledException", message)
    audience = list(self._get_param("Audience", []))
    algorithm = self._get_param("SigningAlgorithm")
    seconds = self._get_int_param("DurationSeconds", 300)
    if not 1 <= len(audience) <= 10 or algorithm not in _ALGORITHMS or not 60 <= seconds <= 3600:
        message = "1 validation error detected: Audience, SigningAlgorithm or DurationSeconds is not valid"
        raise AwsError("ValidationError", message)
    now = datetime.now(UTC)
    expiration = now + timedelta(seconds=seconds)
    if caller.session is not None and expiration > caller.session.expiration.replace(tzinfo=UTC):
        message = "The requested token duration would extend the session beyond its original expiration time."
        raise AwsError("SessionDurationEscalationException", message)
    tags = {tag["Key"]: tag["Value"] for tag in self._get_param("Tags", [])}
    claims = {
        "iss": issuer.url(caller.account_id),
        "aud": audience[0] if len(audience) == 1 else audience,
        "sub": caller.arn,
        "iat": int(now.timestamp()),
        "exp": int(expiration.timestamp()),
        "jti": str(uuid.uuid4()),
        _NAMESPACE: _aws_claims(caller, self.region, tags),
    }
    return ActionResult({"WebIdentityToken": issuer.sign(claims, algorithm), "Expiration": expiration})


def _enable_federation(self: IamResponse) -> ActionResult:
    issuer = active().issuer
    if self.current_account in issuer.enabled:
        message = "Outbound identity federation is already enabled for your account."
        raise AwsError("FeatureEnabled", message)
    issuer.enabled.add(self.current_account)
    return ActionResult({"IssuerIdentifier": issuer.url(self.current_account)})


def _require_federation(self: IamResponse) -> None:
    if self.current_account not in active().issuer.enabled:
        message = "Outbound identity federation is not enabled for your account."
        raise AwsError("FeatureDisabled", message)


def _disable_federation(self: IamResponse) -> EmptyResult:
    _require_federation(self)
    active().issuer.enabled.discard(self.current_account)
    return EmptyResult()


def _federation_info(self: IamResponse) -> ActionResult:
    _require_federation(self)
    info = {"IssuerIdentifier": active().issuer.url(self.current_account), "JwtVendingEnabled": True}
    return ActionResult(info)


def patches() -> Iterable[Patch]:
    """What this module adds to moto."""
    yield Patch(TokenResponse, "get_web_identity_token", _get_web_identity_token)
    yield Patch(IamResponse, "enable_outbound_web_identity_federation", _enable_federation)
    yield Patch(IamResponse, "disable_outbound_web_identity_federation", _disable_federation)
    yield Patch(IamResponse, "get_outbound_web_identity_federation_info", _federation_info)
