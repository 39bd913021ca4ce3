"""Tokens of the push subscription: the right one is let in, every other is refused, whatever is wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.adapters.tokens.signing_keys import (
    LEAST_SECONDS_BETWEEN_FETCHES,
    MOST_SECONDS_KEPT,
    PublishedKeys,
    freshness,
)
from shared.adapters.tokens.verifier import TokenRefusedError
from tests.fakes.gcp_intake import KEY, OTHER, PUSHER, Pushers, key_set, push_claims, push_token


@pytest.fixture
def pushers() -> Pushers:
    return Pushers()


@pytest.mark.parametrize("changes", [{}, {"exp": -30}, {"nbf": -300}, {"azp": None}])
def test_the_right_token_names_its_caller(pushers: Pushers, changes: dict[str, Any]) -> None:
    assert pushers.verifier.caller(push_token(**changes)) == "100000000000000000001"
    assert pushers.google.asked == 1


def unsigned(**changes: Any) -> str:
    parts = ({"alg": "none", "typ": "JWT", "kid": "one"}, push_claims(**changes))
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return f"Bearer {'.'.join(encoded)}."


def signed_with_the_public_key() -> str:
    """The key that everybody knows as the secret of HS256: what a verifier takes that believes the header."""
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"one"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(push_claims()).encode()).rstrip(b"=")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(header + b"." + body, public)
    return "Bearer " + (header + b"." + body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def with_a_key_of_its_own() -> str:
    headers = {"kid": "one", "jwk": json.loads(key_set(one=OTHER))["keys"][0], "jku": "https://example.com/keys"}
    return "Bearer " + jwt.encode(push_claims(), OTHER, algorithm="RS256", headers=headers)


REFUSED: dict[str, Callable[[], str | None]] = {
    "no header": lambda: None,
    "empty": lambda: "",
    "another scheme": lambda: "Basic " + base64.b64encode(b"a:b").decode(),
    "no token": lambda: "Bearer ",
    "no JWT": lambda: "Bearer abc",
    "three dots": lambda: "Bearer a.b.c",
    "huge": lambda: "Bearer " + "a" * 20_000,
    "two headers in one": lambda: f"{push_token(OTHER)}, {push_token()}",
    "wrong audience": lambda: push_token(aud="https://example.com"),
    "several audiences, none ours": lambda: push_token(aud=["https://example.com", "https://example.org"]),
    "no audience": lambda: push_token(aud=None),
    "an empty audience": lambda: push_token(aud=""),
    "wrong issuer": lambda: push_token(iss="https://example.com"),
    "the issuer without its scheme": lambda: push_token(iss="accounts.google.com"),
    "the issuer with a slash": lambda: push_token(iss="https://accounts.google.com/"),
    "no issuer": lambda: push_token(iss=None),
    "wrong e-mail": lambda: push_token(email="rollcall-push@another-project.iam.gserviceaccount.com"),
    "the e-mail in capitals": lambda: push_token(email=PUSHER.upper()),
    "the e-mail in a list": lambda: push_token(email=[PUSHER]),
    "no e-mail": lambda: push_token(email=None),
    "an unverified e-mail": lambda: push_token(email_verified=False),
    "verified as text": lambda: push_token(email_verified="true"),
    "verified as a number": lambda: push_token(email_verified=1),
    "nothing about verified": lambda: push_token(email_verified=None),
    "no subject": lambda: push_token(sub=None),
    "expired": lambda: push_token(exp=-120),
    "never expires": lambda: push_token(exp=None),
    "not yet valid": lambda: push_token(nbf=600),
    "made in the future": lambda: push_token(iat=600),
    "made at no time": lambda: push_token(iat=None),
    "another's key under Google's id": lambda: push_token(OTHER),
    "a key that it brings": with_a_key_of_its_own,
    "unknown key": lambda: push_token(OTHER, kid="two"),
    "no key id": lambda: push_token(kid=None),
    "not signed": unsigned,
    "HS256": lambda: "Bearer " + jwt.encode(push_claims(), "s" * 40, algorithm="HS256", headers={"kid": "one"}),
    "HS256 with what is public": signed_with_the_public_key,
    "RS512": lambda: push_token(algorithm="RS512"),
    "PS256": lambda: push_token(algorithm="PS256"),
    "ES256": lambda: push_token(ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    "a changed claim": lambda: push_token()[:-40] + "A" * 40,
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_other_token_is_refused(pushers: Pushers, name: str) -> None:
    with pytest.raises(TokenRefusedError):
        pushers.verifier.caller(REFUSED[name]())
    assert pushers.google.asked <= 1


def test_keys_are_kept_as_long_as_their_answer_allows(pushers: Pushers) -> None:
    pushers.verifier.caller(push_token())
    pushers.clock.advance(20_000)
    pushers.verifier.caller(push_token())
    assert pushers.google.asked == 1
    pushers.clock.advance(1)
    pushers.verifier.caller(push_token())
    assert pushers.google.asked == 2


@pytest.mark.parametrize(
    ("allowed", "kept"),
    [(0.0, LEAST_SECONDS_BETWEEN_FETCHES), (None, MOST_SECONDS_KEPT), (1e9, MOST_SECONDS_KEPT), (7200.0, 7200.0)],
)
def test_keys_are_kept_for_a_minute_at_least_and_a_day_at_most(
    pushers: Pushers, allowed: float | None, kept: float
) -> None:
    pushers.google.published = PublishedKeys(content=key_set(one=KEY), max_age_seconds=allowed)
    pushers.verifier.caller(push_token())
    pushers.clock.advance(kept)
    pushers.verifier.caller(push_token())
    assert pushers.google.asked == 1
    pushers.clock.advance(1)
    pushers.verifier.caller(push_token())
    assert pushers.google.asked == 2


def test_a_key_that_google_took_back_opens_nothing_once_the_answer_is_old(pushers: Pushers) -> None:
    pushers.verifier.caller(push_token())
    pushers.google.published = PublishedKeys(content=key_set(two=OTHER))
    pushers.clock.advance(20_001)
    with pytest.raises(TokenRefusedError):
        pushers.verifier.caller(push_token())
    assert pushers.verifier.caller(push_token(OTHER, kid="two"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Cache-Control": "public, max-age=19845, must-revalidate, no-transform", "Age": "45"}, 19_800),
        ({"Cache-Control": "public,max-age=300"}, 300),
        ({"Cache-Control": "MAX-AGE=300"}, 300),
        ({"Cache-Control": 'max-age="300"'}, 300),
        ({"Cache-Control": "max-age=300", "Age": "soon"}, 300),
        ({"Cache-Control": "max-age=300", "Age": "900"}, 0),
        ({"Cache-Control": "max-age=300, no-cache"}, 0),
        ({"Cache-Control": "no-store"}, 0),
        ({"Cache-Control": "max-age=-1"}, None),
        ({"Cache-Control": "max-age=" + "9" * 5000}, None),
        ({"Cache-Control": "public"}, None),
        ({"Cache-Control": "s-maxage=10"}, None),
    ],
)
def test_how_long_an_answer_may_be_kept_is_read_from_its_headers(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert freshness(headers) == seconds
