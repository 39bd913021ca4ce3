"""The look into a GCP project that Defender for Cloud takes while a connector's PUT waits.

Source: Microsoft Defender for Cloud "GCP connector architecture" and "Connect your GCP project" (APIs). Only one
refusal is recorded, and it does not say what is missing; that every identity named is looked at is an assumption.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any, Protocol

from sandbox.azure.answers import connector_refusal
from sandbox.azure.resources import Document

_PROBLEM = (
    "There is a problem with authenticating to your GCP project. "
    "Please contact the support with given tracing ID 00000000-0000-0000-0000-000000000000."
)
_OFFERINGS = {
    "CspmMonitorGcp",
    "DefenderCspmGcp",
    "DefenderForContainersGcp",
    "DefenderForDatabasesGcp",
    "DefenderForServersGcp",
}
_APIS = {f"{name}.googleapis.com" for name in ("cloudresourcemanager", "compute", "iam", "iamcredentials", "sts")}


class SeenProject(Protocol):
    """A project by shape."""

    @property
    def project_id(self) -> str:
        """Its id."""

    @property
    def active(self) -> bool:
        """Whether it is neither deleted nor about to be."""

    @property
    def services(self) -> Set[str]:
        """APIs that are enabled."""

    @property
    def admitted(self) -> Set[tuple[str, str]]:
        """Providers, each with a service account through which Defender gets in."""


class InspectProject(Protocol):
    """Looks into a project of the sandbox's Google Cloud."""

    def __call__(self, number: str, *, tenant_id: str) -> SeenProject | None:
        """The project; None where there is none of that number."""


def no_projects(number: str, *, tenant_id: str) -> SeenProject | None:
    """An `InspectProject` for a sandbox without Google Cloud."""
    return None


class GcpVerification:
    """Checks that Defender gets into a project by every identity that the connector names."""

    def __init__(self, tenant_id: str) -> None:
        """Knows no project before `inspect_project` is set."""
        self.inspect_project: InspectProject = no_projects
        self._tenant_id = tenant_id

    def check(self, properties: Document) -> None:
        """Checks one connector's properties.

        Raises:
            RefusalError: 400 in the connector's envelope, until everything is there.
        """
        number, environment = str(properties.get("hierarchyIdentifier")), properties.get("environmentData")
        if not isinstance(environment, dict) or environment.get("environmentType") != "GcpProject":
            raise connector_refusal("The environment data do not belong to the environment GCP.")
        for offering in properties.get("offerings") or ():
            if offering.get("offeringType") not in _OFFERINGS:
                raise connector_refusal(f"The offering '{offering.get('offeringType')}' is not supported for GCP.")
        project, details = self._find(number), environment.get("projectDetails") or {}
        home = self._find(_home(environment.get("organizationalData"), number))
        named = {"projectNumber": number, "projectId": project.project_id if project else ""}
        if project is None or home is None or {key: details.get(key) for key in named} != named:
            raise connector_refusal(_PROBLEM)
        wanted = set(_identities([properties.get("offerings"), environment.get("organizationalData")]))
        if not (project.active and project.services >= _APIS and home.admitted >= wanted):
            raise connector_refusal(_PROBLEM)

    def _find(self, number: str) -> SeenProject | None:
        return self.inspect_project(number, tenant_id=self._tenant_id)


def _home(organizational: Any, number: str) -> str:
    """The number of the project that has the identities. Raises RefusalError for a membership without its fields."""
    if organizational is None:
        return number
    kind = organizational.get("organizationMembershipType") if isinstance(organizational, dict) else None
    if kind == "Member":
        if not organizational.get("parentHierarchyId"):
            raise connector_refusal("The parent hierarchy id of the member is missing.")
        return str(organizational.get("managementProjectNumber"))
    if kind != "Organization":
        raise connector_refusal(f"The organization membership type '{kind}' is not supported.")
    return number


def _identities(value: Any) -> Iterator[tuple[str, str]]:
    """Every provider with its account, but for what is switched off with `enabled: false`."""
    if isinstance(value, list):
        for item in value:
            yield from _identities(item)
    elif isinstance(value, dict) and value.get("enabled") is not False:
        if "serviceAccountEmailAddress" in value:
            yield str(value.get("workloadIdentityProviderId")), str(value["serviceAccountEmailAddress"])
        yield from _identities(list(value.values()))
