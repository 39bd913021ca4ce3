"""Defender's own member connectors: made by themselves, a while after an organization is connected.

Source: Microsoft Defender for Cloud "Connect AWS accounts" and FAQ (within 24 hours, accounts may be excluded);
the members' names are reported by third parties, what their bodies hold is inferred.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.azure.answers import now_spelt
from sandbox.azure.connectors import TYPE, Address, stored_document
from sandbox.azure.identities import ListAccounts
from sandbox.azure.resources import Document, Resources

_DEFENDER = "Microsoft Defender for Cloud"


class NativeMembers:
    """Looks at the organizations from time to time and gives each account of theirs its member connector.

    An account gets it `seconds` after it was first seen without a connector.
    """

    def __init__(self, resources: Resources, list_accounts: ListAccounts, seconds: float) -> None:
        self._resources = resources
        self._list_accounts = list_accounts
        self._seconds = seconds
        self._missing_since: dict[tuple[str, str], float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stops looking."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopped.wait(min(1.0, max(0.02, self._seconds / 5))):
            self.look()

    def look(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Makes the members whose time has come."""
        now, missing = clock(), {}
        with self._resources.lock:
            for parent, account_id in self._without_connector():
                key = (str(parent["id"]).lower(), account_id)
                missing[key] = since = self._missing_since.get(key, now)
                if now - since >= self._seconds:
                    self._resources.put(member_of(parent, account_id))
                    del missing[key]
        self._missing_since = missing

    def _without_connector(self) -> Iterator[tuple[Document, str]]:
        connectors = self._resources.of_type(TYPE)
        connected = {each["properties"].get("hierarchyIdentifier") for each in connectors}
        for parent in connectors:
            organizational = _organizational(parent)
            if organizational.get("organizationMembershipType") != "Organization":
                continue
            excluded = set(organizational.get("excludedAccountIds") or ())
            for account in self._list_accounts(parent["properties"]["hierarchyIdentifier"]):
                if account.state == "ACTIVE" and account.id not in excluded | connected:
                    connected.add(account.id)
                    yield parent, account.id


def member_of(parent: Document, account_id: str) -> Document:
    """The member connector that Defender makes for an account below an organization's connector."""
    organization, environment = parent["properties"]["hierarchyIdentifier"], parent["properties"]["environmentData"]
    offerings = json.dumps(parent["properties"].get("offerings") or [])
    parts = parent["id"].split("/")
    address = Address(parts[2], parts[4], f"{parent['name']}_{account_id}")
    kept = {name: environment[name] for name in ("regions", "scanInterval") if name in environment}
    properties: dict[str, Any] = {
        "offerings": json.loads(offerings.replace(f":iam::{organization}:", f":iam::{account_id}:")),
        "environmentName": "AWS",
        "hierarchyIdentifier": account_id,
        "environmentData": {
            "environmentType": "AwsAccount",
            "organizationalData": {"organizationMembershipType": "Member", "parentHierarchyId": organization},
            **kept,
        },
    }
    document = stored_document(address, parent["location"], {}, properties)
    who, now = {"createdBy": _DEFENDER, "createdByType": "Application"}, now_spelt()
    document["systemData"] = {
        **who,
        "createdAt": now,
        "lastModifiedBy": _DEFENDER,
        "lastModifiedByType": "Application",
        "lastModifiedAt": now,
    }
    return document


def _organizational(connector: Document) -> Document:
    environment = connector["properties"].get("environmentData") or {}
    return environment.get("organizationalData") or {}
