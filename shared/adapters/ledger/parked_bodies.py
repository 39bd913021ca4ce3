"""Table `parked`: messages that are too large to be parked together with their reason.

A property of a table takes 64 KiB of bytes, as much as a message of a queue. Source: "Understanding the Table
service data model", Edm.Binary; "Scalability targets for Queue Storage".
"""

from __future__ import annotations

from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import UpdateMode

from shared.adapters.azure.errors import names_no_resource, translated
from shared.adapters.ledger.tables import table

PARKED = "parked"
_PARTITION = "body"


class TableParkedBodies:
    """One row a message, by the SHA-256 of its bytes."""

    def __init__(self, credential: TokenCredential, *, table_endpoint: str) -> None:
        """`table_endpoint` is the account's table address, https."""
        self._table = table(credential, table_endpoint, PARKED)

    def keep(self, digest: str, body: bytes) -> None:
        """Writes the row; the same row again says the same."""
        with translated("keep a message apart"):
            entity = {"PartitionKey": _PARTITION, "RowKey": digest, "body": body}
            self._table.upsert_entity(entity, mode=UpdateMode.REPLACE)

    def find(self, digest: str) -> bytes | None:
        """The bytes of a row; None where there is none."""
        with translated("read a message that was kept apart"):
            try:
                body: bytes = self._table.get_entity(_PARTITION, digest)["body"]
            except ResourceNotFoundError as error:
                if names_no_resource(error):
                    return None
                raise
            return body
