"""Where people look at things: the portal of each cloud. Every address begins with https."""

from __future__ import annotations

from urllib.parse import quote

from shared.domain.accounts import Provider
from shared.domain.ledger import AccountRecord

STACK_SET_REGION = "us-east-1"
_OF_AN_ID = "/-_.~()@:"


def resource_link(resource_id: str) -> str:
    """Azure's portal at one resource; empty where that is no id of a resource. What stands after `#` is left off."""
    whole = resource_id.partition("#")[0]
    if not whole.lower().startswith("/subscriptions/"):
        return ""
    return f"https://portal.azure.com/#resource{quote(whole, safe=_OF_AN_ID, errors='replace')}"


def links_of(record: AccountRecord) -> dict[str, str]:
    """Where people look at the connector, and at the StackSet on AWS's side or the project on Google's."""
    links = {}
    if record.connector_id:
        links["portal"] = resource_link(record.connector_id)
    if record.key.provider is Provider.AWS:
        links["cloudformation"] = (
            f"https://{STACK_SET_REGION}.console.aws.amazon.com/cloudformation/home"
            f"?region={STACK_SET_REGION}#/stacksets"
        )
    elif record.name:
        links["project"] = f"https://console.cloud.google.com/welcome?project={quote(record.name, errors='replace')}"
    return links
