"""Tokens that must not open anything: forged client assertions at Entra, forged access tokens at the services.

The refusals' numbers and words are those of live answers where they are public: see `docs/fidelity.md`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from werkzeug import Request, Response

from sandbox.azure.azurite import installed
from sandbox.azure.directory import FUNCTIONS, OPERATOR, QUEUE_SENDER, TOKEN_EXCHANGE_AUDIENCE
from sandbox.azure.entra import Tenant
from sandbox.serving import Service
from tests.fakes.azure_world import SENDER_ROLE, Issuer, World, start_world

pytestmark = pytest.mark.skipif(not installed(), reason="Azurite is not installed: run `make setup`")
ARM, STORAGE, GRAPH = "https://management.azure.com", "https://storage.azure.com", "https://graph.microsoft.com"
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
MISSING = object()


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = start_world(tmp_path_factory.mktemp("forgeries"), resource_graph_lag_seconds=0)
    yield world
    world.azure.stop()


@pytest.fixture
def world(shared_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(shared_world.certificates.bundle_path))
    shared_world.azure.graph.reset_quota()
    return shared_world


@pytest.fixture
def issuer(world: World) -> Iterator[Issuer]:
    made = Issuer(world.certificates)
    world.azure.directory.trust(QUEUE_SENDER, issuer=made.url, subjects=(SENDER_ROLE,))
    yield made
    made.stop()


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def handmade(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token that no library would make."""
    content = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{content}.{b64(sign(content.encode()))}"


def unsigned(token: str) -> str:
    return handmade({"alg": "none", "typ": "JWT", "kid": "1"}, claims_of(token), lambda _: b"")


def with_public_key_as_secret(token: str, public: rsa.RSAPublicKey) -> str:
    """HS256, keyed with the public key's text: what a verifier falls for that trusts the header's algorithm."""
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = jwt.get_unverified_header(token) | {"alg": "HS256"}
    return handmade(header, claims_of(token), lambda content: hmac.new(pem, content, hashlib.sha256).digest())


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def published_key(issuer: Issuer) -> rsa.RSAPublicKey:
    [key] = requests.get(f"{issuer.url}/jwks", timeout=5).json()["keys"]
    public = RSAAlgorithm.from_jwk(key)
    assert isinstance(public, rsa.RSAPublicKey)
    return public


def ask_entra(world: World, assertion: str | None, *, tenant: str = "", **changes: Any) -> requests.Response:
    directory = world.azure.directory
    form = {
        "client_id": directory.get(QUEUE_SENDER).client_id,
        "grant_type": "client_credentials",
        "scope": f"{STORAGE}/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    } | changes
    url = f"{world.azure.authority_url}/{tenant or directory.tenant_id}/oauth2/v2.0/token"
    return requests.post(url, data={key: value for key, value in form.items() if value is not None}, timeout=10)


def refused(world: World, answer: requests.Response, status: int, error: str, code: int) -> None:
    body = answer.json()
    assert "access_token" not in body
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code]), body
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert {"timestamp", "trace_id", "correlation_id", "error_uri"} <= set(body)
    entry = world.journal.entries(operation="entra:GetToken")[-1]
    assert (entry.status, entry.authentication, entry.detail["code"]) == (status, "none", code)


def test_the_true_assertion_is_accepted(world: World, issuer: Issuer) -> None:
    answer = ask_entra(world, issuer.token())
    assert answer.status_code == 200
    assert claims_of(answer.json()["access_token"])["appid"] == world.azure.directory.get(QUEUE_SENDER).client_id


WRONG_CLAIMS: dict[str, tuple[dict[str, Any], int, str, int]] = {
    "another issuer": ({"iss": "https://localhost:1"}, 401, "invalid_client", 700211),
    "the issuer with a slash": ({"iss": "{issuer}/"}, 401, "invalid_client", 700211),
    "another subject": ({"sub": "arn:aws:iam::123456789012:role/admin"}, 401, "invalid_client", 700213),
    "the subject in capitals": ({"sub": SENDER_ROLE.upper()}, 401, "invalid_client", 700213),
    "a session in the place of the role": ({"sub": f"{SENDER_ROLE}/session"}, 401, "invalid_client", 700213),
    "another audience": ({"aud": "api://another"}, 401, "invalid_client", 700212),
    "two audiences": ({"aud": [TOKEN_EXCHANGE_AUDIENCE, "api://another"]}, 401, "invalid_client", 700212),
    "one audience in a list": ({"aud": [TOKEN_EXCHANGE_AUDIENCE]}, 401, "invalid_client", 700212),
    "expired": ({"iat": -900, "exp": -600}, 401, "invalid_client", 700024),
    "expired a second ago": ({"exp": -1}, 401, "invalid_client", 700024),
    "not yet valid": ({"nbf": 600}, 401, "invalid_client", 700024),
    "issued in the future": ({"iat": 600}, 401, "invalid_client", 700024),
    "no issuer": ({"iss": MISSING}, 400, "invalid_request", 50027),
    "no subject": ({"sub": MISSING}, 400, "invalid_request", 50027),
    "no audience": ({"aud": MISSING}, 400, "invalid_request", 50027),
    "no expiry": ({"exp": MISSING}, 400, "invalid_request", 50027),
    "an empty subject": ({"sub": ""}, 401, "invalid_client", 700213),
    "a number as subject": ({"sub": 1}, 400, "invalid_request", 50027),
    "words as expiry": ({"exp": "tomorrow"}, 400, "invalid_request", 50027),
}


@pytest.mark.parametrize("kind", WRONG_CLAIMS)
def test_an_assertion_with_a_wrong_claim_is_refused(world: World, issuer: Issuer, kind: str) -> None:
    changes, *expected = WRONG_CLAIMS[kind]
    claims = claims_of(issuer.token())
    now = int(time.time())
    for name, value in changes.items():
        claims.pop(name, None)
        if isinstance(value, int) and name in {"exp", "iat", "nbf"}:
            claims[name] = now + value
        elif value is not MISSING:
            claims[name] = value.format(issuer=issuer.url) if isinstance(value, str) else value
    header = {"alg": "RS256", "typ": "JWT", "kid": "1"}
    token = handmade(header, claims, signer(issuer))
    refused(world, ask_entra(world, token), *expected)  # type: ignore[arg-type]  # the table's tail


def signer(issuer: Issuer) -> Callable[[bytes], bytes]:
    """Signs as the issuer itself does: what is wrong must not be the signature."""
    algorithm = RSAAlgorithm(RSAAlgorithm.SHA256)
    return lambda content: algorithm.sign(content, issuer._key)  # the test plays the issuer


def wrong_proofs(issuer: Issuer) -> dict[str, tuple[str | None, int, str, int]]:
    true = issuer.token()
    head, claims, signature = true.split(".")
    another = issuer.token(sub="arn:aws:iam::123456789012:role/admin")
    forged = b64(json.dumps(claims_of(true) | {"exp": int(time.time()) + 9000}).encode())
    unknown_key = jwt.encode(claims_of(true), STRANGER, algorithm="RS256", headers={"kid": "2"})
    no_key_id = jwt.encode(claims_of(true), STRANGER, algorithm="RS256")
    own_key = {"kid": "1", "jwk": RSAAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True)}
    carried = jwt.encode(claims_of(true), STRANGER, algorithm="RS256", headers=own_key)
    typed = jwt.encode(claims_of(true), STRANGER, algorithm="RS256", headers={"kid": "1", "typ": "at+jwt"})
    other_hash = jwt.encode(claims_of(true), STRANGER, algorithm="PS256", headers={"kid": "1"})
    return {
        "a stranger's key": (issuer.token(key=STRANGER), 401, "invalid_client", 7000274),
        "claims changed afterwards": (f"{head}.{forged}.{signature}", 401, "invalid_client", 7000274),
        "another token's signature": (f"{true[: -len(signature)]}{another.split('.')[2]}",)
        + (401, "invalid_client", 7000274),
        "no signature": (f"{head}.{claims}.", 401, "invalid_client", 7000274),
        "a key that the token brings": (carried, 401, "invalid_client", 7000274),
        "an unknown key": (unknown_key, 401, "invalid_client", 7000272),
        "no key id": (no_key_id, 401, "invalid_client", 7000272),
        "algorithm none": (unsigned(true), 400, "invalid_request", 5002738),
        "HS256 with the public key": (
            with_public_key_as_secret(true, published_key(issuer)),
            400,
            "invalid_request",
            5002738,
        ),
        "another algorithm": (other_hash, 400, "invalid_request", 5002738),
        "another type": (typed, 400, "invalid_request", 5002727),
        "two parts": (f"{head}.{claims}", 400, "invalid_request", 50027),
        "no token": ("not a token", 400, "invalid_request", 50027),
        "nothing": (None, 401, "invalid_client", 7000218),
    }


PROOFS = (
    *("a stranger's key", "claims changed afterwards", "another token's signature", "no signature"),
    *("a key that the token brings", "an unknown key", "no key id", "algorithm none", "HS256 with the public key"),
    *("another algorithm", "another type", "two parts", "no token", "nothing"),
)


@pytest.mark.parametrize("kind", PROOFS)
def test_an_assertion_that_proves_nothing_is_refused(world: World, issuer: Issuer, kind: str) -> None:
    proofs = wrong_proofs(issuer)
    assert set(proofs) == set(PROOFS)
    assertion, status, error, code = proofs[kind]
    refused(world, ask_entra(world, assertion), status, error, code)


def test_a_true_assertion_is_worth_nothing_elsewhere(world: World, issuer: Issuer) -> None:
    directory, true = world.azure.directory, issuer.token()
    assert ask_entra(world, true).status_code == 200
    functions, unknown = directory.get(FUNCTIONS).client_id, str(uuid.uuid4())
    cases = [
        (ask_entra(world, true, tenant=str(uuid.uuid4())), 400, "invalid_request", 90002),
        (ask_entra(world, true, client_id=functions), 401, "invalid_client", 700211),
        (ask_entra(world, true, client_id=unknown), 400, "unauthorized_client", 700016),
        (ask_entra(world, true, scope=f"{GRAPH}/.default"), 400, "invalid_resource", 500011),
        (ask_entra(world, true, client_secret="a secret"), 401, "invalid_client", 7000215),
        (ask_entra(world, true, client_assertion_type="another"), 401, "invalid_client", 7000218),
        (ask_entra(world, true, grant_type="password"), 400, "unsupported_grant_type", 70003),
    ]
    for answer, status, error, code in cases:
        body = answer.json()
        assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code]), body


# --- another tenant ---

TENANT_B = "00000000-0000-0000-0000-00000000bbbb"
ROLE_B = "arn:aws:iam::210987654321:role/theirs"


@pytest.fixture
def neighbour(world: World, issuer: Issuer) -> Tenant:
    """Tenant B: it knows our application by the same id, and has one of its own that trusts the same issuer."""
    tenant = world.azure.add_tenant(TENANT_B)
    tenant.directory.add("ours", "application", client_id=world.azure.directory.get(QUEUE_SENDER).client_id)
    tenant.directory.add("theirs", "application")
    tenant.directory.trust("theirs", issuer=issuer.url, subjects=(ROLE_B,))
    return tenant


def token_of_the_neighbour(world: World, issuer: Issuer, tenant: Tenant, audience: str) -> str:
    """What Entra gives to tenant B's own application for a true assertion."""
    theirs = tenant.directory.get("theirs").client_id
    changes = {"client_id": theirs, "scope": f"{audience}/.default"}
    answer = ask_entra(world, issuer.token(sub=ROLE_B), tenant=TENANT_B, **changes)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def test_an_assertion_true_for_one_tenant_is_refused_by_another(
    world: World, issuer: Issuer, neighbour: Tenant
) -> None:
    true, theirs = issuer.token(), neighbour.directory.get("theirs").client_id
    assert ask_entra(world, true).status_code == 200
    refused(world, ask_entra(world, true, tenant=TENANT_B), 401, "invalid_client", 700211)
    refused(world, ask_entra(world, true, tenant=TENANT_B, client_id=theirs), 401, "invalid_client", 700213)
    functions = world.azure.directory.get(FUNCTIONS).client_id
    refused(world, ask_entra(world, true, tenant=TENANT_B, client_id=functions), 400, "unauthorized_client", 700016)
    refused(world, ask_entra(world, issuer.token(sub=ROLE_B)), 401, "invalid_client", 700213)
    refused(world, ask_entra(world, issuer.token(sub=ROLE_B), client_id=theirs), 400, "unauthorized_client", 700016)


def test_a_tenant_publishes_its_own_issuer_and_the_common_keys(world: World, neighbour: Tenant) -> None:
    url = f"{world.azure.authority_url}/{TENANT_B}"
    document = requests.get(f"{url}/v2.0/.well-known/openid-configuration", timeout=5).json()
    assert document["issuer"] == f"{url}/v2.0"
    keys = requests.get(document["jwks_uri"], timeout=5).json()["keys"]
    ours = requests.get(f"{world.azure.authority_url}/{world.azure.directory.tenant_id}/discovery/v2.0/keys", timeout=5)
    assert [key["n"] for key in keys] == [key["n"] for key in ours.json()["keys"]]
    assert [key["issuer"] for key in keys] == [f"https://sts.windows.net/{TENANT_B}/"]


@pytest.mark.parametrize("twin", [False, True], ids=["own-identity", "same-object-id"])
def test_a_true_token_of_another_tenant_opens_nothing_here(
    world: World, issuer: Issuer, neighbour: Tenant, twin: bool
) -> None:
    def token(audience: str) -> str:
        if twin:  # even of an identity that has the very ids of ours
            return neighbour.tokens.mint(world.azure.directory.get(FUNCTIONS), audience)
        return token_of_the_neighbour(world, issuer, neighbour, audience)

    assert claims_of(token(ARM))["iss"] == f"https://sts.windows.net/{TENANT_B}/"
    headers = {"Authorization": f"Bearer {token(ARM)}"}
    for method in ("GET", "PUT", "DELETE"):
        url = f"{world.azure.arm_url}{connector_path(world)}"
        answer = requests.request(method, url, json={}, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "InvalidAuthenticationTokenTenant"
        assert TENANT_B in answer.json()["error"]["message"]
        assert world.journal.entries(service="arm")[-1].identity == "anonymous"
    headers = {"Authorization": f"Bearer {token(STORAGE)}", "x-ms-version": "2024-11-04"}
    for method, url in storage_requests(world):
        answer = requests.request(method, url, headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo"), url
        entry = world.journal.entries()[-1]
        assert (entry.identity, entry.detail["problem"]) == ("anonymous", "issuer")


def test_a_token_of_entra_itself_is_no_assertion(world: World, issuer: Issuer) -> None:
    own = world.azure.tokens.mint(world.azure.directory.get(QUEUE_SENDER), TOKEN_EXCHANGE_AUDIENCE)
    refused(world, ask_entra(world, own), 401, "invalid_client", 700211)


def test_an_issuer_that_cannot_be_read_lets_nobody_in(world: World, issuer: Issuer) -> None:
    directory = world.azure.directory
    elsewhere = {"issuer": "https://localhost:1", "jwks_uri": f"{issuer.url}/jwks"}
    imposter = Service(_always(elsewhere), tls=world.certificates.server_context()).start()
    gone = Issuer(world.certificates)
    gone.stop()
    try:
        for url in (gone.url, imposter.url, issuer.url.replace("https", "http")):
            directory.trust(QUEUE_SENDER, issuer=url, subjects=(SENDER_ROLE,))
            refused(world, ask_entra(world, issuer.token(iss=url)), 400, "invalid_request", 50166)
    finally:
        imposter.stop()


def _always(document: dict[str, Any]) -> Any:
    def answer(environ: Any, start_response: Any) -> Any:
        Request(environ).get_data()
        return Response(json.dumps(document), content_type="application/json")(environ, start_response)

    return answer


def test_times_are_named_in_the_refusal(world: World, issuer: Issuer) -> None:
    now = int(time.time())
    said = ask_entra(world, issuer.token(nbf=now - 900, exp=now - 600)).json()["error_description"]
    stamp = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z)"
    found = re.search(f"Current time: {stamp}, assertion valid from {stamp}, expiry time of assertion {stamp}", said)
    assert found is not None, said
    assert found[2] == time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime(now - 900))
    without = ask_entra(world, issuer.token(exp=now - 600)).json()["error_description"]
    assert "assertion valid from 1970-01-01T00:00:00.0000000Z" in without


# --- access tokens ---


def access_claims(world: World, audience: str, **changes: Any) -> dict[str, Any]:
    true = world.azure.mint(FUNCTIONS, audience)
    claims = claims_of(true) | changes
    return {name: value for name, value in claims.items() if value is not MISSING}


def access_tokens(world: World, audience: str) -> dict[str, str | None]:
    """Tokens that a service for this audience must refuse, by what is wrong with them."""
    tokens, now = world.azure.tokens, int(time.time())
    true = world.azure.mint(FUNCTIONS, audience)
    header = jwt.get_unverified_header(true)
    names = {name: value for name, value in header.items() if name in {"kid", "x5t"}}
    head, claims, _ = true.split(".")

    def signed(key: Any = tokens._key, **changes: Any) -> str:  # the test plays Entra
        return jwt.encode(access_claims(world, audience, **changes), key, algorithm="RS256", headers=names)

    tenant = "00000000-0000-0000-0000-00000000aaaa"
    other = {ARM: STORAGE, STORAGE: ARM}[audience]
    return {
        "nothing": None,
        "rubbish": "initial_token",
        "audience of the other service": world.azure.mint(FUNCTIONS, other),
        "audience of Graph": signed(aud=GRAPH),
        "audience with a path": signed(aud=f"{audience}/another"),
        "expired": world.azure.tokens.mint(world.azure.directory.get(FUNCTIONS), audience, lifetime_seconds=-10),
        "not yet valid": signed(nbf=now + 600),
        "a stranger's key": signed(STRANGER),
        "no signature": f"{head}.{claims}.",
        "claims changed afterwards": f"{head}.{b64(json.dumps(access_claims(world, audience, oid='x')).encode())}"
        f".{true.split('.')[2]}",
        "algorithm none": unsigned(true),
        "HS256 with the public key": with_public_key_as_secret(true, tokens._key.public_key()),
        "issuer of another tenant": signed(iss=f"https://sts.windows.net/{tenant}/"),
        "no object id": signed(oid=MISSING),
        "no expiry": signed(exp=MISSING),
        "an identity that is not in the tenant": signed(oid=str(uuid.uuid4())),
    }


KINDS = (
    *("nothing", "rubbish", "audience of the other service", "audience of Graph", "audience with a path", "expired"),
    *("not yet valid", "a stranger's key", "no signature", "claims changed afterwards", "algorithm none"),
    *("HS256 with the public key", "issuer of another tenant", "no object id", "no expiry"),
    "an identity that is not in the tenant",
)
ARM_CODES = {
    "nothing": "AuthenticationFailed",
    "audience of the other service": "InvalidAuthenticationTokenAudience",
    "audience of Graph": "InvalidAuthenticationTokenAudience",
    "audience with a path": "InvalidAuthenticationTokenAudience",
    "expired": "ExpiredAuthenticationToken",
    "issuer of another tenant": "InvalidAuthenticationTokenTenant",
}


def connector_path(world: World) -> str:
    [subscription, *_] = world.azure.resources.subscriptions()
    group = f"/subscriptions/{subscription.id}/resourceGroups/rg-defender-connectors"
    return f"{group}/providers/Microsoft.Security/securityConnectors/aws-1?api-version=2024-08-01-preview"


@pytest.mark.parametrize("kind", KINDS)
def test_resource_manager_refuses_a_forged_token(world: World, kind: str) -> None:
    tokens = access_tokens(world, ARM)
    assert set(tokens) == set(KINDS)
    headers = {"Authorization": f"Bearer {tokens[kind]}"} if tokens[kind] is not None else {}
    graph = "/providers/Microsoft.ResourceGraph/resources?api-version=2021-03-01"
    connector = connector_path(world)
    for method, path in (("GET", connector), ("PUT", connector), ("DELETE", connector), ("POST", graph)):
        answer = requests.request(method, f"{world.azure.arm_url}{path}", json={}, headers=headers, timeout=10)
        error = answer.json()["error"]
        code = ARM_CODES.get(kind, "InvalidAuthenticationToken")
        assert (answer.status_code, error["code"]) == (401, code), (method, error)
        assert answer.headers["WWW-Authenticate"].startswith('Bearer authorization_uri="https://login.windows.net/')
        assert answer.headers["x-ms-failure-cause"] == "gateway"
        entry = world.journal.entries(service="arm")[-1]
        assert (entry.identity, entry.authentication, entry.status) == ("anonymous", "none", 401)


def storage_requests(world: World) -> list[tuple[str, str]]:
    urls = world.azure
    return [
        ("GET", f"{urls.queue_url}/onboarding/messages"),
        ("POST", f"{urls.queue_url}/onboarding/messages"),
        ("GET", f"{urls.table_url}/accounts()"),
        ("GET", f"{urls.blob_url}/policy/policy.yaml"),
        ("PUT", f"{urls.blob_url}/policy/policy.yaml"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_storage_refuses_a_forged_token(world: World, kind: str) -> None:
    token = access_tokens(world, STORAGE)[kind]
    headers = {"x-ms-version": "2024-11-04"} | ({"Authorization": f"Bearer {token}"} if token is not None else {})
    code = "NoAuthenticationInformation" if kind == "nothing" else "InvalidAuthenticationInfo"
    status = 400 if kind == "rubbish" else 401
    for method, url in storage_requests(world):
        answer = requests.request(method, url, headers=headers, timeout=10)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code), (method, url, answer.text)
        assert code in answer.text
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
        assert world.journal.entries()[-1].identity == "anonymous"


def test_a_client_assertion_is_no_access_token(world: World, issuer: Issuer) -> None:
    for audience in (TOKEN_EXCHANGE_AUDIENCE, ARM, STORAGE):
        headers = {"Authorization": f"Bearer {issuer.token(aud=audience)}", "x-ms-version": "2024-11-04"}
        assert (
            requests.get(f"{world.azure.arm_url}{connector_path(world)}", headers=headers, timeout=5).status_code == 401
        )
        for method, url in storage_requests(world):
            assert requests.request(method, url, headers=headers, timeout=5).status_code == 401


# --- true tokens without the role ---

SENDER_MAY = {"queue:PutMessage"}
OPERATOR_MAY = {"queue:PutMessage", "queue:GetMessages", "table:QueryEntities", "blob:GetBlob", "blob:PutBlob"}


@pytest.mark.parametrize(("name", "may"), [(QUEUE_SENDER, SENDER_MAY), (OPERATOR, OPERATOR_MAY)])
def test_a_true_token_opens_only_what_its_role_allows(world: World, name: str, may: set[str]) -> None:
    headers = {"Authorization": f"Bearer {world.azure.mint(name, STORAGE)}", "x-ms-version": "2024-11-04"}
    opened = set()
    for method, url in storage_requests(world):
        answer = requests.request(method, url, headers=headers, timeout=10)
        entry = world.journal.entries()[-1]
        assert entry.identity == name
        if answer.status_code == 403:
            assert answer.headers["x-ms-error-code"] == "AuthorizationPermissionMismatch"
        else:
            opened.add(entry.operation)
    assert opened == may
    if name == QUEUE_SENDER:
        others = [("POST", "onboarding-poison/messages"), ("DELETE", "onboarding/messages"), ("PUT", "another")]
        for method, path in others:
            answer = requests.request(method, f"{world.azure.queue_url}/{path}", headers=headers, timeout=10)
            assert answer.status_code == 403, path


@pytest.mark.parametrize("name", [QUEUE_SENDER, OPERATOR])
def test_resource_manager_names_the_action_that_no_role_has(world: World, name: str) -> None:
    headers = {"Authorization": f"Bearer {world.azure.mint(name, ARM)}"}
    identity = world.azure.directory.get(name)
    verbs = {"PUT": "write", "DELETE": "delete"} | ({"GET": "read"} if name == QUEUE_SENDER else {})
    for method, verb in verbs.items():
        answer = requests.request(
            method, f"{world.azure.arm_url}{connector_path(world)}", json={}, headers=headers, timeout=10
        )
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (403, "AuthorizationFailed")
        assert f"'Microsoft.Security/securityConnectors/{verb}'" in error["message"]
        assert identity.object_id in error["message"]


def test_the_identity_endpoint_gives_nothing_without_the_hosts_header(world: World) -> None:
    parameters = {"api-version": "2019-08-01", "resource": ARM}
    functions = world.azure.directory.get(FUNCTIONS).client_id
    header = world.azure.identity_headers["functions"]
    cases: list[tuple[dict[str, str], dict[str, str], int]] = [
        ({}, {"client_id": functions}, 401),
        ({"X-IDENTITY-HEADER": "0" * 32}, {"client_id": functions}, 401),
        ({"X-IDENTITY-HEADER": header}, {}, 400),
        ({"X-IDENTITY-HEADER": header}, {"client_id": world.azure.directory.get(OPERATOR).client_id}, 400),
        ({"X-IDENTITY-HEADER": header}, {"client_id": functions, "resource": GRAPH}, 400),
        ({"X-IDENTITY-HEADER": header}, {"client_id": functions, "api-version": "2017-09-01"}, 400),
        ({"X-IDENTITY-HEADER": header}, {"client_id": functions}, 200),
    ]
    for headers, changes, status in cases:
        url = world.azure.identity_endpoint
        answer = requests.get(url, params=parameters | changes, headers=headers, timeout=5)
        assert answer.status_code == status, (headers, changes, answer.text)
        assert ("access_token" in answer.json()) == (status == 200)
