"""Who a credential is, by what its own token says. For the record only: nothing is allowed because of it."""

from __future__ import annotations

import base64
import binascii
import json

from azure.core.credentials import TokenCredential

from shared.adapters.azure.errors import translated

_SCOPE = "https://storage.azure.com/.default"
UNKNOWN = "somebody whose token does not say who"


def caller_of(credential: TokenCredential) -> str:
    """The object id, with the name of a person where the token has one. Raises TransientError, ConfigurationError."""
    with translated("ask who the operator is"):
        token = credential.get_token(_SCOPE).token
    claims = _claims(token)
    object_id, name = claims.get("oid"), claims.get("upn") or claims.get("preferred_username")
    if not object_id:
        return UNKNOWN
    return f"{name} ({object_id})" if name else str(object_id)


def object_id_of(credential: TokenCredential) -> str:
    """The object id of whose token it is. Raises TransientError, ConfigurationError."""
    with translated("ask whose token this is"):
        found = _claims(credential.get_token(_SCOPE).token).get("oid")
    return str(found) if found else UNKNOWN


def _claims(token: str) -> dict[str, object]:
    try:
        part = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, binascii.Error):  # an opaque token is a token, too
        return {}
    return found if isinstance(found, dict) else {}
