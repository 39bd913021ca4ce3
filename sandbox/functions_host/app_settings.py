"""The app's settings as the Functions host reads them from the environment.

Source: Microsoft Learn, "App settings reference for Azure Functions" and "Azure Functions developer
guide", section Connections (identity-based connections).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.functions_host.errors import HostRefusalError

HOST_STORAGE = "AzureWebJobsStorage"
JOB_HOST = "AzureFunctionsJobHost"
_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True)
class IdentityConnection:
    """A storage service and the managed identity that the host uses there; `client_id` None = system-assigned."""

    service_uri: str
    client_id: str | None


class AppSettings:
    """Settings looked up without regard to case; `__` separates the levels of a name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._values = {name.lower(): value for name, value in environment.items()}
        self._names = {name.lower(): name for name in environment}

    def get(self, name: str) -> str | None:
        """The value of a setting; None where it is not set or empty."""
        return self._values.get(name.lower()) or None

    def under(self, prefix: str) -> Iterator[tuple[list[str], str]]:
        """Every setting below `prefix`, as the levels of its name and its value."""
        for key, value in sorted(self._values.items()):
            if key.startswith(f"{prefix.lower()}__"):
                yield self._names[key].split("__")[1:], value

    def resolve(self, text: str) -> str:
        """Puts settings in the place of `%NAME%`.

        Raises:
            HostRefusalError: a setting is named that is not there.
        """

        def value_of(match: re.Match[str]) -> str:
            value = self.get(match[1])
            if value is None:
                raise HostRefusalError(f"%{match[1]}% does not resolve: the setting {match[1]} is not set")
            return value

        return _SETTING.sub(value_of, text)

    def connection(self, name: str | None, service: Literal["queue", "blob"]) -> IdentityConnection:
        """The identity-based connection of a binding; an empty name means the host's own storage.

        Raises:
            HostRefusalError: it is missing, or it is not a managed identity's: this host holds no secrets.
        """
        name = name or HOST_STORAGE
        if self.get(name):
            raise HostRefusalError(f"{name} is a connection string; set {name}__{service}ServiceUri instead")
        uri = self.get(f"{name}__{service}ServiceUri") or self.get(f"{name}__serviceUri")
        if uri is None:
            raise HostRefusalError(f"{name}__{service}ServiceUri is not set")
        credential = self.get(f"{name}__credential")
        if (credential or "").lower() != "managedidentity":
            raise HostRefusalError(f"{name}__credential is {credential!r}; only managedidentity is known here")
        return IdentityConnection(uri.rstrip("/"), self.get(f"{name}__clientId"))
