"""What the use cases need of Google Cloud, in our words; the adapters satisfy these Protocols."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from shared.domain.accounts import Account


class Projects(Protocol):
    """The projects of the GCP organization."""

    def find(self, project: str) -> Account | None:
        """The project by number or id, as it is now, with folder path and labels.

        None where it is not there or may not be seen (Google answers both alike). Raises TransientError,
        ConfigurationError.
        """

    def list_projects(self) -> Iterator[Account]:
        """Every project of the organization, whatever its state; all or an error.

        Raises TransientError, ConfigurationError.
        """
