"""The policy as it lies at one of the places that it is published to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedPolicy:
    """What lies at a destination: the SHA-256 of its bytes in hexadecimal, and the store's word for the version."""

    content_hash: str
    version: str
