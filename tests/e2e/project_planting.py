"""Arc machines and assessments of a project, as Defender would have left them, for a test of the sweep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.gcp.hierarchy import Instance
from shared.domain.sweep.kinds import GCP_ARC_ASSESSMENT, GKE_SENSOR_ASSESSMENT, OSCONFIG_ASSESSMENT
from tests.e2e.roll import Roll

MACHINES = {
    "asleep": "machine-disconnected",
    "ghost": "machine-orphaned",
    "namesake": "machine-disconnected",
    "untagged": "machine-tags-missing",
}
"""What the sweep finds about them; `alive` is in order."""


def plant_machines(roll: Roll, project_id: str, connector: str) -> None:
    """Arc machines of a project as Defender marks them, and the instances behind those that have one.

    The one that ghost stood for is gone; another has the name of namesake's by now.
    """
    project = roll.sandbox.gcp.hierarchy.find_project(project_id)
    assert project is not None
    names = ("alive", "asleep", "ghost", "namesake", "untagged")
    ids = {name: str(1_000_000_000_000_000_000 + number) for number, name in enumerate(names)}
    project.instances = [
        Instance(ids["alive"], "alive", "europe-west1-b"),
        Instance(ids["asleep"], "asleep", "europe-west1-b", status="TERMINATED"),
        Instance("7", "namesake", "us-central1-a"),
        Instance(ids["untagged"], "untagged", "us-central1-a"),
    ]
    since = datetime.now(UTC) - timedelta(days=30)
    for name, number in ids.items():
        tags = {"Cloud": "GCP", "InstanceName": name, "MDFCSecurityConnector": "true", "MachineId": number}
        tags |= {"ProjectNumber": project.number} | ({} if name == "untagged" else {"ProjectId": project_id})
        status = "Connected" if name in {"alive", "untagged"} else "Disconnected"
        machine = f"{connector.partition('/providers/')[0]}/providers/Microsoft.HybridCompute/machines/{name}"
        body = {"id": machine, "name": name, "type": "Microsoft.HybridCompute/machines", "location": "westeurope"}
        properties = {"status": status, "lastStatusChange": since.isoformat()}
        roll.sandbox.azure.resources.put(body | {"tags": tags, "properties": properties})


def plant_assessments(roll: Roll, connector: str) -> None:
    """An instance without agent and Arc, and a cluster without Defender's sensor."""
    wrong = {"instances-1": (OSCONFIG_ASSESSMENT, GCP_ARC_ASSESSMENT), "clusters-shop": (GKE_SENSOR_ASSESSMENT,)}
    more = {"connector": connector, "resource_type": "", "status": "Unhealthy", "source": "GCP"}
    roll.seed(
        assessments=[
            more | {"resource": f"{resource}-europe-west1-b", "key": key}
            for resource, keys in wrong.items()
            for key in keys
        ]
    )
