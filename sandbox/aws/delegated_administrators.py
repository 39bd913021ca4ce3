"""Delegated administrators: of StackSets, too, and asked for by one of them, which moto answers with nobody.

Source: AWS Organizations API reference 2016-11-28, ListDelegatedAdministrators.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from moto.organizations.exceptions import OrganizationsClientError
from moto.organizations.models import FakeDelegatedAdministrator, organizations_backends
from moto.organizations.responses import OrganizationsResponse

from sandbox.aws.active import PARTITION
from sandbox.aws.patching import Patch

_STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"


def _list_delegated_administrators(self: OrganizationsResponse) -> str:
    backend = self.organizations_backend
    if backend.org is None and self.current_account in organizations_backends.master_accounts:
        management, _ = organizations_backends.master_accounts[self.current_account]
        backend = organizations_backends[management][PARTITION]
        if self.current_account not in {admin.account.id for admin in backend.admins}:
            message = "You don't have permissions to access this resource."
            raise OrganizationsClientError("AccessDeniedException", message)
    return json.dumps(backend.list_delegated_administrators(**self.request_params))


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    services = [*FakeDelegatedAdministrator.SUPPORTED_SERVICES, _STACK_SETS]
    yield Patch(FakeDelegatedAdministrator, "SUPPORTED_SERVICES", services)
    yield Patch(OrganizationsResponse, "list_delegated_administrators", _list_delegated_administrators)
