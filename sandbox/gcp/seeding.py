"""What `POST /seed` plants in the simulated Google Cloud: projects that should have been there before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.gcp.hierarchy import NEW_PROJECTS_SERVICES

if TYPE_CHECKING:
    from sandbox.gcp.cloud import GcpCloud


class SeedProject(BaseModel):
    """A project that has been there for long: no audit entry tells of it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="its project id")
    folder: str | None = Field(
        default="/",
        description="path of folders' names, with %2F for a slash inside one; made where it is missing. Null: nowhere",
    )
    labels: dict[str, str] = Field(default_factory=dict)
    state: Literal["ACTIVE", "DELETE_REQUESTED"] = "ACTIVE"
    services: list[str] = Field(
        default_factory=list, description="APIs that are enabled besides those of a new project"
    )
    metadata: dict[str, str] = Field(default_factory=dict, description="common instance metadata")
    billing: bool = Field(default=True, description="whether somebody pays for it")


def plant_project(cloud: GcpCloud, seed: SeedProject) -> str:
    """Makes the project, and the folders above it; returns its number."""
    project = cloud.add_project(
        seed.id,
        "" if seed.folder is None else cloud.folder_at(seed.folder),
        labels=dict(seed.labels),
        state=seed.state,
        services={*NEW_PROJECTS_SERVICES, *seed.services},
        metadata=dict(seed.metadata),
        billing=seed.billing,
    )
    return project.number
