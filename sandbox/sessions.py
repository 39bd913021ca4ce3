"""boto3's sessions of the sandbox itself: each service's model is read from disk once in a process."""

from __future__ import annotations

from functools import cache

import boto3
import botocore.session
from botocore.loaders import Loader


@cache
def _loader() -> Loader:
    found: Loader = botocore.session.get_session().get_component("data_loader")
    return found


def session_of(access_key_id: str, secret_access_key: str, token: str | None = None, *, region: str) -> boto3.Session:
    """A session with these keys."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _loader())
    return boto3.Session(access_key_id, secret_access_key, token, region_name=region, botocore_session=core)
