"""Whom a person means by an id: twelve digits may be an AWS account's id, or the number of a GCP project."""

from __future__ import annotations

from collections.abc import Sequence

from shared.application.ports import Ledger
from shared.domain.accounts import Provider, is_account_id, is_project_number
from shared.domain.ledger import AccountKey, AccountRecord

_FIRST, _LAST = (AccountKey(provider=Provider.GCP, hierarchy_identifier=edge) for edge in ("0", "9" * 20))


def known_as(text: str, providers: Sequence[Provider], ledger: Ledger) -> tuple[AccountRecord, ...]:
    """The accounts and projects of the ledger that `text` names: by id or number, or a project by its id.

    `providers` are the clouds where it may name one. Raises TransientError, ConfigurationError.
    """
    if not is_project_number(text):  # an account's id has the form of one
        projects = ledger.list_records((_FIRST, _LAST)) if Provider.GCP in providers else ()
        return tuple(record for record in projects if record.name == text)
    keys = (AccountKey(provider=each, hierarchy_identifier=text) for each in providers)
    return tuple(record for key in keys if (record := ledger.find(key)) is not None)


def is_projects_too(text: str, provider: Provider | None, ledger: Ledger) -> bool:
    """Whether an AWS account's id is the number of a project that the ledger knows, too, and nobody said which.

    Raises TransientError, ConfigurationError.
    """
    if provider is not None or not is_account_id(text):
        return False
    return ledger.find(AccountKey(provider=Provider.GCP, hierarchy_identifier=text)) is not None
