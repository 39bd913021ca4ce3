"""A Lambda function's role towards Entra, proved by going the way once more."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable

from azure.core.credentials import TokenCredential

from shared.adapters.azure.errors import translated
from shared.domain.doctor.lambda_checks import TokenClaims
from shared.errors import TransientError

_SCOPE = "https://storage.azure.com/.default"


class FederatedIdentity:
    """The token that AWS gives, and Entra's for it."""

    def __init__(self, assertion: Callable[[], str], credential: TokenCredential) -> None:
        """`assertion` gives a fresh token of AWS's; `credential` has exchanged none yet."""
        self._assertion = assertion
        self._credential = credential

    def claims(self) -> TokenClaims:
        """What the token says of itself; nothing is allowed because of it."""
        found = _claims(self._assertion())
        audience = found.get("aud", "")
        return TokenClaims(
            issuer=str(found.get("iss", "")),
            subject=str(found.get("sub", "")),
            audience=str(audience[0] if isinstance(audience, list) and audience else audience),
        )

    def exchange(self) -> None:
        """One request to Entra."""
        with translated("sign in to Entra with AWS's token"):
            self._credential.get_token(_SCOPE)


def _claims(token: str) -> dict[str, object]:
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, binascii.Error) as error:
        raise TransientError("AWS's web identity token cannot be read") from error
    return found if isinstance(found, dict) else {}
