"""Bearer tokens for both verifiers: only one that the issuer signed, whose claims are right, opens anything."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from functions.operator_gate import caller_of
from shared.adapters.tokens.signing_keys import PublishedKeys, SigningKeys
from shared.adapters.tokens.verifier import TokenRefusedError, TokenVerifier, operators_of, subscription_of
from tests.fakes.clock import FakeClock
from tests.fakes.gcp_intake import AUDIENCE as PUSH_AUDIENCE
from tests.fakes.gcp_intake import KEY, OTHER, PUSHER, key_set, push
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch, WrongError, told_too_much

TENANT = "00000000-0000-4000-8000-0000000000f1"
AUDIENCE = "api://00000000-0000-4000-8000-0000000000a1"
HOST = "https://login.microsoftonline.com"
HOUR = 3600
HEADER = {"alg": "RS256", "typ": "JWT", "kid": "one"}
_KINDS = ("signed", "signed", "signed", "stranger", "none", "hmac", "cut", "raw")


def _operator(now: int) -> dict[str, Any]:
    return {
        "aud": AUDIENCE,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "nbf": now - 300,
        "exp": now + HOUR,
        "tid": TENANT,
        "oid": "somebody",
        "azp": "00000000-0000-4000-8000-0000000000c1",
        "roles": ["Rollcall.Operator"],
    }


def _pusher(now: int) -> dict[str, Any]:
    times = {"exp": now + HOUR, "iat": now}
    who = {"email": PUSHER, "email_verified": True, "iss": "https://accounts.google.com", "sub": "1" * 21}
    return {"aud": PUSH_AUDIENCE, "azp": "1" * 21, **who, **times}


class Tokens:
    """Surface: Authorization headers. A document is a token's header and claims; how it is signed is the choice."""

    name = "tokens"

    def __init__(self) -> None:
        keys = PublishedKeys(content=key_set(one=KEY), max_age_seconds=20_000)
        self._verifiers = {
            "operator": TokenVerifier(operators_of(TENANT, AUDIENCE, HOST), SigningKeys(lambda: keys, FakeClock())),
            "pusher": TokenVerifier(subscription_of(PUSH_AUDIENCE, PUSHER), SigningKeys(lambda: keys, FakeClock())),
        }
        self._signed: dict[bytes, bytes] = {}

    @cached_property
    def bases(self) -> Sequence[Base]:
        """Right tokens of both kinds, the claims by themselves twice as often."""
        # Times are written as words: what is right now is put in their place when the token is made.
        marked = {"operator": _operator(0), "pusher": _pusher(0)}
        made = []
        for name, claims in marked.items():
            times = {each: f"@{claims[each]}" for each in ("nbf", "exp", "iat") if each in claims}
            for what, document in (("claims", claims | times), ("whole", {"header": HEADER, "claims": claims | times})):
                content = json.dumps(document).encode()
                made.append(Base(f"{name}.{what}", content, content))
        return made

    def take(self, case: Case, watch: Watch) -> str:
        """The verifier says who it is, or refuses; who is let in has to be in the right."""
        who, _, what = case.base.partition(".")
        kind = _KINDS[case.choice % len(_KINDS)]
        header, claims = _parts(case.content, what)
        token = self._token(kind, header, claims, case)
        verifier = self._verifiers[who]
        authorization = f"Bearer {token}"
        try:
            caller = verifier.caller(authorization)
        except TokenRefusedError as error:
            if told := told_too_much(str(error)):
                raise WrongError(f"a refusal tells {told}") from error
            caller_of(push(authorization=authorization), verifier)
            return f"{who} {kind} refused {str(error).partition(':')[0][:40]}"
        if kind != "signed" or not _is_right(who, header, claims) or not caller:
            raise WrongError("a token that is not right was let in")
        return f"{who} {kind} let in"

    def _token(self, kind: str, header: bytes, claims: bytes, case: Case) -> str:
        if kind == "raw":
            return case.content.decode("latin-1")
        if kind == "none":
            header = header.replace(b"RS256", b"none")
        if kind == "hmac":
            header = header.replace(b"RS256", b"HS256")
        content = _b64(header) + b"." + _b64(claims)
        signature = b"" if kind == "none" else self._signature(kind, content)
        whole = content + b"." + _b64(signature)
        if kind == "cut":  # and put together again otherwise
            at = case.choice // 8 % len(whole)
            odd = (b"", b".", b"=", b"A", b"\xff", b" ", b"..", b"%")[case.choice % 7]
            changed = whole[:at] + odd + whole[at + 1 + case.choice % 3 :]
            whole = changed if changed != whole else whole[:-4]
        return whole.decode("latin-1")

    def _signature(self, kind: str, content: bytes) -> bytes:
        if kind == "hmac":
            public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            return hmac.new(public, content, hashlib.sha256).digest()
        key: rsa.RSAPrivateKey = OTHER if kind == "stranger" else KEY
        return key.sign(content, padding.PKCS1v15(), SHA256())


def _parts(content: bytes, what: str) -> tuple[bytes, bytes]:
    """Header and claims as bytes, times as they are now."""
    now = int(time.time())
    header = json.dumps(HEADER).encode()
    if what == "whole":
        try:
            found = json.loads(content)
            header, content = json.dumps(found["header"]).encode(), json.dumps(found["claims"]).encode()
        except (ValueError, LookupError, TypeError, RecursionError):
            return content[: len(content) // 2], content[len(content) // 2 :]
    for word in (b'"@-300"', b'"@3600"', b'"@0"'):
        content = content.replace(word, str(now + int(word[2:-1])).encode())
    return header, content


def _is_right(who: str, header: bytes, claims: bytes) -> bool:
    """By other code than the verifier's: what the documents of both issuers ask for."""
    try:
        said, about = json.loads(claims), json.loads(header)
    except (ValueError, RecursionError):
        return False
    if (
        not isinstance(said, dict)
        or not isinstance(about, dict)
        or about.get("alg") != "RS256"
        or about.get("kid") != "one"
    ):
        return False
    return _times_are_right(who, said) and (_is_operator(said) if who == "operator" else _is_pusher(said))


def _times_are_right(who: str, said: Mapping[str, Any]) -> bool:
    now = time.time()
    needed = ("exp", "nbf") if who == "operator" else ("exp", "iat")
    try:
        times = {each: float(said[each]) for each in ("exp", "nbf", "iat") if each in said}
    except (TypeError, ValueError, OverflowError):
        return False
    begins = [times[each] for each in ("nbf", "iat") if each in times]
    return (
        all(each in times for each in needed) and times["exp"] > now - 120 and all(each < now + 120 for each in begins)
    )


def _audiences(said: Mapping[str, Any]) -> list[Any]:
    found = said.get("aud")
    return found if isinstance(found, list) else [found]


def _is_operator(said: Mapping[str, Any]) -> bool:
    issuers = (f"https://sts.windows.net/{TENANT}/", f"{HOST}/{TENANT}/v2.0")
    roles = said.get("roles")
    known = AUDIENCE in _audiences(said) or AUDIENCE.removeprefix("api://") in _audiences(said)
    named = isinstance(said.get("oid"), str) and bool(said.get("azp") or said.get("appid"))
    rolled = isinstance(roles, list) and "Rollcall.Operator" in roles
    return known and said.get("iss") in issuers and said.get("tid") == TENANT and named and rolled


def _is_pusher(said: Mapping[str, Any]) -> bool:
    verified = said.get("email") == PUSHER and said.get("email_verified") is True
    return verified and PUSH_AUDIENCE in _audiences(said) and said.get("iss") == "https://accounts.google.com"


def _b64(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
