"""What stands around a connector: locks that guard it, and Arc machines that its account brought.

Source: Microsoft.Authorization/locks 2020-05-01; Microsoft.ResourceGraph/resources 2021-03-01; tags that Defender
for Cloud gives to Arc machines (of EC2 AccountId, Cloud, InstanceId, MDFCSecurityConnector; of GCE ProjectNumber and
others).
"""

from __future__ import annotations

from collections.abc import Iterator

from azure.core.credentials import TokenCredential

from shared.adapters.azure.arm import ArmClient, is_gone
from shared.adapters.azure.errors import reads_azure
from shared.adapters.resource_graph.query import ResourceGraph
from shared.domain.accounts import Provider, is_project_number
from shared.domain.connectors import ConnectorId
from shared.domain.ledger import AccountKey
from shared.domain.offboarding import Lock, Machine
from shared.errors import PermanentError

LOCKS_API = "2020-05-01"
_MACHINES = (
    "resources | where type =~ 'microsoft.hybridcompute/machines'"
    " | where tostring(tags.{tag}) == '{identifier}'"
    " | project id, name, tags, properties, resourceGroup, subscriptionId | order by id asc"
)
_TAG = {Provider.AWS: "AccountId", Provider.GCP: "ProjectNumber"}


class ArmSurroundings:
    """Reads only."""

    def __init__(self, credential: TokenCredential, *, arm_endpoint: str) -> None:
        """Speaks with the Resource Manager at `arm_endpoint`."""
        self._arm = ArmClient(credential, arm_endpoint=arm_endpoint)
        self._graph = ResourceGraph(credential, arm_endpoint=arm_endpoint)

    @reads_azure
    def list_locks(self, connector_id: ConnectorId) -> Iterator[Lock]:
        """The locks on the connector, its resource group and its subscription; none of a connector that is gone."""
        path = f"{connector_id}/providers/Microsoft.Authorization/locks"
        for each in self._arm.list(path, LOCKS_API, doing=f"list the locks of {connector_id}", absent=is_gone):
            yield Lock(lock_id=str(each["id"]), level=str((each.get("properties") or {}).get("level", "")))

    @reads_azure
    def list_machines(self, key: AccountKey) -> Iterator[Machine]:
        """The Arc machines that carry the account's id, or the project's number, as a tag, in the whole tenant."""
        identifier = key.hierarchy_identifier
        if not is_project_number(identifier):  # an account's id has the form of one
            raise PermanentError(f"not an account id: {identifier}")
        query = _MACHINES.format(tag=_TAG[key.provider], identifier=identifier)
        for row in self._graph.rows(query, doing="look for Arc machines"):
            status = str((row.get("properties") or {}).get("status", ""))
            yield Machine(resource_id=str(row["id"]), name=str(row["name"]), status=status)
