"""The organization's projects, for use cases that know accounts: as a directory, and as a listing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.application.gcp_ports import Projects
from shared.domain.accounts import Account


@dataclass(frozen=True)
class ProjectDirectory:
    """Projects one by one."""

    projects: Projects

    def find_account(self, account_id: str, *, with_tags: bool) -> Account | None:  # noqa: ARG002 - labels come with it
        """The project by number or id; None where it is not there or may not be seen."""
        return self.projects.find(account_id)


@dataclass(frozen=True)
class ProjectListing:
    """Projects all at once."""

    projects: Projects

    def list_accounts(self) -> tuple[Account, ...]:
        """Every project of the organization; all of them or an error."""
        return tuple(self.projects.list_projects())

    def tags_of(self, account_id: str) -> Mapping[str, str]:
        """The project's labels; a listing has them already."""
        found = self.projects.find(account_id)
        return {} if found is None else found.tags
