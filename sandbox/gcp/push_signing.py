"""The tokens that Pub/Sub's pushes carry, and the keys that Google publishes for them.

Source: Pub/Sub "Authentication for push subscriptions": RS256, `email` of the subscription's service account.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://accounts.google.com"
CERTS_PATH = "/oauth2/v3/certs"
_LIFETIME_SECONDS = 3600


class PushSigner:
    """Google's signing key."""

    def __init__(self) -> None:
        """Makes a key."""
        self.rotate()

    def rotate(self) -> None:
        """Signs with another key from now on, and publishes that one only."""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public: dict[str, Any] = RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        self.key_id = hashlib.sha256(str(public["n"]).encode()).hexdigest()[:40]
        shown = {"alg": "RS256", "e": public["e"], "kid": self.key_id, "kty": "RSA", "n": public["n"], "use": "sig"}
        self.jwks: dict[str, Any] = {"keys": [shown]}

    def sign(self, audience: str, email: str, **changes: Any) -> str:
        """A token as a push carries it; `changes` replace claims, for forgeries."""
        now = int(time.time())
        subject = str(int(hashlib.sha256(email.encode()).hexdigest()[:16], 16)).zfill(21)[:21]
        claims = {
            "aud": audience,
            "azp": subject,
            "email": email,
            "email_verified": True,
            "exp": now + _LIFETIME_SECONDS,
            "iat": now,
            "iss": ISSUER,
            "sub": subject,
        }
        return jwt.encode(claims | changes, self.key, algorithm="RS256", headers={"kid": self.key_id})
