"""Bearer tokens of operators: the right one is let in, every other is refused, whatever is wrong with it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from shared.adapters.tokens.signing_keys import (
    LEAST_SECONDS_BETWEEN_FETCHES,
    MOST_SECONDS_KEPT,
    PublishedKeys,
    SigningKeys,
)
from shared.adapters.tokens.verifier import TokenRefusedError, TokenVerifier, keys_address, operators_of
from shared.errors import ConfigurationError, TransientError
from tests.fakes.clock import FakeClock

TENANT = "00000000-0000-4000-8000-0000000000f1"
AUDIENCE = "api://00000000-0000-4000-8000-0000000000a1"
HOST = "https://login.microsoftonline.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set(**keys: rsa.RSAPrivateKey) -> bytes:
    found = [
        RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig"} for kid, key in keys.items()
    ]
    return json.dumps({"keys": found}).encode()


class Issuer:
    """Publishes keys and counts how often it is asked."""

    def __init__(self) -> None:
        self.content: bytes | None = key_set(one=KEY)
        self.asked = 0

    def fetch(self) -> PublishedKeys:
        self.asked += 1
        if self.content is None:
            raise TransientError("no answer")
        return PublishedKeys(content=self.content)


class World:
    def __init__(self) -> None:
        self.clock, self.issuer = FakeClock(), Issuer()
        keys = SigningKeys(self.issuer.fetch, self.clock)
        self.verifier = TokenVerifier(operators_of(TENANT, AUDIENCE, HOST), keys)


@pytest.fixture
def world() -> World:
    return World()


def claims(**changes: Any) -> dict[str, Any]:
    """Those of the right token, changed; times are seconds from now, which is when the test runs."""
    now = int(time.time())
    changes |= {name: now + changes[name] for name in ("exp", "nbf") if changes.get(name) is not None}
    right = {
        "aud": AUDIENCE,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "nbf": now - 300,
        "exp": now + 3600,
        "tid": TENANT,
        "oid": "somebody",
        "azp": "00000000-0000-4000-8000-0000000000c1",
        "roles": ["Rollcall.Operator"],
    }
    return {name: value for name, value in (right | changes).items() if value is not None}


def token(key: Any = KEY, kid: str | None = "one", algorithm: str = "RS256", **changes: Any) -> str:
    headers = {} if kid is None else {"kid": kid}
    return "Bearer " + jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iss": f"{HOST}/{TENANT}/v2.0", "aud": AUDIENCE.removeprefix("api://")},
        {"roles": ["Other", "Rollcall.Operator"]},
        {"exp": -30},  # within the leeway of a minute
        {"azp": None, "appid": "00000000-0000-4000-8000-0000000000c1"},  # version 1
    ],
)
def test_the_right_token_names_its_caller(world: World, changes: dict[str, Any]) -> None:
    assert world.verifier.caller(token(**changes)) == "somebody"
    assert world.verifier.caller(token(**changes).replace("Bearer", "bearer")) == "somebody"
    assert world.issuer.asked == 1


def unsigned(**changes: Any) -> str:
    parts = ({"alg": "none", "typ": "JWT", "kid": "one"}, claims(**changes))
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return f"Bearer {'.'.join(encoded)}."


def signed_with_the_public_key() -> str:
    """The key that everybody knows as the secret of HS256: what a verifier takes that believes the header."""
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"one"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(header + b"." + body, public)
    return "Bearer " + (header + b"." + body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


REFUSED: dict[str, Callable[[], str | None]] = {
    "no header": lambda: None,
    "empty": lambda: "",
    "another scheme": lambda: "Basic " + base64.b64encode(b"a:b").decode(),
    "no token": lambda: "Bearer ",
    "no JWT": lambda: "Bearer abc",
    "three dots": lambda: "Bearer a.b.c",
    "huge": lambda: "Bearer " + "a" * 20_000,
    "wrong audience": lambda: token(aud="api://another"),
    "several audiences, none ours": lambda: token(aud=["api://another", "https://management.azure.com"]),
    "no audience": lambda: token(aud=None),
    "wrong issuer": lambda: token(iss="https://sts.windows.net/00000000-0000-4000-8000-0000000000f2/"),
    "no issuer": lambda: token(iss=None),
    "wrong tenant": lambda: token(tid="00000000-0000-4000-8000-0000000000f2"),
    "no tenant": lambda: token(tid=None),
    "wrong role": lambda: token(roles=["Rollcall.Reader"]),
    "no role": lambda: token(roles=None),
    "role as text": lambda: token(roles="Rollcall.Operator"),
    "an ID token": lambda: token(azp=None, nonce="n", at_hash="h"),
    "no object id": lambda: token(oid=None),
    "an object id that is none": lambda: token(oid=7),
    "expired": lambda: token(exp=-120),
    "never expires": lambda: token(exp=None),
    "not yet valid": lambda: token(nbf=600),
    "no beginning": lambda: token(nbf=None),
    "another's key under our id": lambda: token(OTHER),
    "unknown key": lambda: token(OTHER, kid="two"),
    "no key id": lambda: token(kid=None),
    "not signed": unsigned,
    "HS256": lambda: "Bearer " + jwt.encode(claims(), "s" * 40, algorithm="HS256", headers={"kid": "one"}),
    "HS256 with what is public": signed_with_the_public_key,
    "RS512": lambda: token(algorithm="RS512"),
    "ES256": lambda: token(ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "a changed claim": lambda: token()[:-40] + "A" * 40,
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_other_token_is_refused(world: World, name: str) -> None:
    with pytest.raises(TokenRefusedError):
        world.verifier.caller(REFUSED[name]())


def test_a_thousand_unknown_keys_ask_the_issuer_once_a_minute(world: World) -> None:
    for number in range(1000):
        with pytest.raises(TokenRefusedError):
            world.verifier.caller(token(OTHER, kid=f"unknown-{number}"))
    assert world.issuer.asked == 1
    world.clock.advance(LEAST_SECONDS_BETWEEN_FETCHES)
    with pytest.raises(TokenRefusedError):
        world.verifier.caller(token(OTHER, kid="again"))
    assert world.issuer.asked == 2
    assert world.verifier.caller(token()) == "somebody"


def test_an_issuer_that_refuses_us_is_told_from_a_caller_who_is_wrong(world: World) -> None:
    def refuse() -> PublishedKeys:
        raise ConfigurationError("no such tenant", setting="ROLLCALL_TENANT_ID")

    keys = SigningKeys(refuse, world.clock)
    with pytest.raises(TransientError, match="no such tenant"):
        TokenVerifier(operators_of(TENANT, AUDIENCE, HOST), keys).caller(token())
    world.verifier.caller(token())
    world.issuer.fetch = refuse  # type: ignore[method-assign]
    world.verifier._keys._fetch = refuse
    world.clock.advance(LEAST_SECONDS_BETWEEN_FETCHES)
    with pytest.raises(TokenRefusedError):
        world.verifier.caller(token(OTHER, kid="two"))


def test_a_key_that_was_published_since_is_found_a_minute_later(world: World) -> None:
    assert world.verifier.caller(token()) == "somebody"
    world.issuer.content = key_set(two=OTHER)
    world.clock.advance(LEAST_SECONDS_BETWEEN_FETCHES)
    assert world.verifier.caller(token(OTHER, kid="two")) == "somebody"
    with pytest.raises(TokenRefusedError):  # one that was taken back
        world.verifier.caller(token())


def test_keys_are_asked_for_again_after_a_day_and_kept_where_nobody_answers(world: World) -> None:
    world.verifier.caller(token())
    world.clock.advance(MOST_SECONDS_KEPT + 1)
    world.issuer.content = None
    assert world.verifier.caller(token()) == "somebody"
    assert world.issuer.asked == 2


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"keys": [7]}', b'{"keys": [{"kty": "RSA"}]}'])
def test_where_no_key_is_known_nobody_is_let_in(world: World, content: bytes | None) -> None:
    world.issuer.content = content
    for _ in range(3):
        with pytest.raises(TransientError):
            world.verifier.caller(token())
    assert world.issuer.asked == 1


def test_keys_that_do_not_sign_are_none(world: World) -> None:
    found = json.loads(key_set(one=KEY))
    found["keys"][0]["use"] = "enc"
    world.issuer.content = json.dumps(found).encode()
    with pytest.raises(TokenRefusedError):
        world.verifier.caller(token())


def test_the_keys_of_a_tenant_have_their_address() -> None:
    assert keys_address(TENANT, HOST) == f"{HOST}/{TENANT}/discovery/v2.0/keys"
