"""A sandbox with as many accounts, connectors, rows and given-up messages as are wanted."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from azure.data.tables import TableClient

from shared.adapters.ledger.rows import account_entity, history_entity
from shared.domain.ledger import State
from shared.messages.parked_request import ParkedRequest
from tests.e2e.many import PLANTER, Crowd
from tests.e2e.roll import Identity, Roll, key_of

IN_TRANSACTION = 100
GONE_FROM = 700_000_000_000
"""Account ids of those that the ledger remembers and nobody lists any more."""


class Things(Crowd):
    """As `Crowd`, with connectors but without what Defender says of them: no command of these asks for it."""

    def __init__(self, roll: Roll) -> None:
        """The first account is the product's own work; all others are copies of it."""
        super().__init__(roll)
        self.first = self.accounts[0]

    def _put_connectors(self, added: list[str]) -> None:
        for account_id in added:
            body = json.loads(self._connector.replace(self.accounts[0], account_id))
            self.roll.sandbox.azure.resources.put(body, seen_by_graph_at=0)

    def add_gone(self, number: int) -> None:
        """Rows of accounts that left."""
        like = self.roll.record(self.first)
        if like is None:
            raise LookupError(self.first)
        gone = replace(like, state=State.DEPARTED)
        rows = (account_entity(replace(gone, key=key_of(str(GONE_FROM + each)))) for each in range(number))
        self._write("accounts", rows)

    def add_history(self, number: int) -> None:
        """So many entries more for the first account."""
        [like, *_] = self.roll.history(self.first)
        entries = (
            replace(like, message_id=str(uuid.UUID(int=number)), at=datetime.now(UTC)) for number in range(number)
        )
        self._write("history", (history_entity(entry) for entry in entries))

    def _write(self, table: str, rows: Iterator[dict[str, Any]]) -> None:
        url = self.roll.sandbox.azure.table_url
        with TableClient(url, table, credential=Identity(self.roll.sandbox, PLANTER)) as client:
            while batch := list(islice(rows, IN_TRANSACTION)):
                client.submit_transaction([("upsert", row) for row in batch])

    def give_up(self, number: int) -> None:
        """So many parked messages about the first account, no two alike."""
        for each in range(number):
            request = {"schema": "connector-request/1", "message_id": str(uuid.UUID(int=each)), "data": {}}
            parked = ParkedRequest.of(
                json.dumps(request).encode(),
                reason="planted",
                remedy="none",
                at=datetime.now(UTC),
            )
            self.roll.poison.send_message(base64.b64encode(parked.to_json().encode()).decode(), time_to_live=-1)
