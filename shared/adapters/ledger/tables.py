"""How this package speaks with Azure Table Storage; rows that several processes change are guarded by ETags."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableClient, UpdateMode

from shared.adapters.azure.bodies import require_object
from shared.adapters.azure.errors import names_no_resource
from shared.adapters.azure.retries import forget_long_waits
from shared.adapters.azure.timeouts import TIMEOUTS

_TRIES = 8


def _looked_at(response: Any) -> None:
    forget_long_waits(response)
    require_object(response)


_OPTIONS: dict[str, Any] = {"retry_total": 3, "raw_response_hook": _looked_at, **TIMEOUTS}


def table(credential: TokenCredential, table_endpoint: str, name: str) -> TableClient:
    """The table by that name; `table_endpoint` is the account's table address, https."""
    return TableClient(table_endpoint, name, credential=credential, **_OPTIONS)


def tries() -> Iterator[None]:
    """So often a row is read and written before that is left to a later time; each try waits longer for the others."""
    for attempt in range(_TRIES):
        yield
        time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - spreads writers, no secret


def read_row(client: TableClient, partition: str, name: str) -> tuple[dict[str, Any] | None, str | None]:
    """A row and its ETag; None twice where the table has no such row. Raises azure-core's errors."""
    try:
        entity = client.get_entity(partition, name)
    except ResourceNotFoundError as error:
        if names_no_resource(error):
            return None, None
        raise
    return entity, entity.metadata["etag"]


def write_row(client: TableClient, entity: dict[str, Any], etag: str | None) -> bool:
    """Writes a row as it was read with `etag`, None for a new one; False where somebody was faster.

    Somebody has made it, changed it or taken it away meanwhile. Raises azure-core's errors.
    """
    try:
        if etag is None:
            client.create_entity(entity)
        else:
            client.update_entity(
                entity, mode=UpdateMode.REPLACE, etag=etag, match_condition=MatchConditions.IfNotModified
            )
    except (ResourceExistsError, ResourceModifiedError):
        return False
    except ResourceNotFoundError as error:
        if etag is None or not names_no_resource(error):
            raise
        return False
    return True
