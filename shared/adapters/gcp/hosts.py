"""Where Google's services are: each has a host of its own, and in a sandbox a path below one address."""

from __future__ import annotations


def host_of(service: str, endpoint: str = "") -> str:
    """The address of a service, e.g. of `cloudresourcemanager`, without a slash at the end."""
    return f"{endpoint.rstrip('/')}/{service}" if endpoint else f"https://{service}.googleapis.com"
