"""The section `gcp` of the policy file: projects of a GCP organization, with the profiles and targets of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field, StrictBool

from shared.adapters.policy.matcher_document import Name, ProjectMatcherDocument, ProjectNumber
from shared.adapters.policy.profile_document import Part
from shared.domain.accounts import Provider
from shared.domain.matching import Matcher
from shared.domain.policy import Mode, OrganizationConnector, Policy, Rule
from shared.domain.profiles import Ciem, Profile
from shared.domain.targets import Target
from shared.messages.defaults import empty_list

APPS_SCRIPT = "sys-*"
"""The ids of the projects that Apps Script makes for every script that needs one.

Source: Google Apps Script documentation, "Google Cloud projects" (default projects).
"""


class ManagementProjectDocument(Part):
    """The project with Defender's workload identity pool, providers and service accounts for the organization."""

    number: ProjectNumber = Field(description="in quotes, or editors take it for a number")
    id: str = Field(
        pattern=r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", description="part of the service accounts' addresses"
    )


class ProjectsConnectorDocument(Part):
    """The connector of the management project, in mode `member`; it and its members are in the section's target."""

    name: Name = Field(description="its own")
    parent: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9.:-]{1,64}$",
        description="what members name as their parent; left out: `organization`",
    )


class GcpCiemDocument(Part):
    """The Entra application of entitlement management for GCP. An administrator makes it; Rollcall never does."""

    application: str = Field(min_length=1, max_length=120, description="its display name")


class ProjectRuleDocument(Part):
    """The first rule whose every kind of fact matches a project gives profile and target."""

    name: str = Field(default="", max_length=64, description="for people; shown where the rule decided")
    match: ProjectMatcherDocument = Field(description="every kind of fact that is given has to match")
    profile: str = Field(description="a ready-made profile or one of this file")
    target: str | None = Field(default=None, description="one of `targets`; left out: the section's")


class GcpDocument(Part):
    """The projects of a GCP organization. What is not said here (tenant, prechecks, deletions …) is as for AWS."""

    organization: ProjectNumber = Field(
        description="its number, in quotes; also the value of the tag `rollcall` of projects' connectors"
    )
    mode: Literal["member", "standalone"] = Field(
        default="member", description="members of an Organization connector, or each project with its own identities"
    )
    management_project: ManagementProjectDocument | None = None
    organization_connector: ProjectsConnectorDocument | None = None
    target: str | None = Field(default=None, description="one of `targets`; left out: the file's `target`")
    ciem: GcpCiemDocument | None = None
    default_profile: str = Field(default="foundational", description="of projects that no rule matches")
    rules: list[ProjectRuleDocument] = Field(
        default_factory=empty_list, description="from the top; the first that matches counts"
    )
    exclusions: ProjectMatcherDocument = Field(
        default_factory=ProjectMatcherDocument.model_construct,
        description="no connector; every entry excludes by itself, before any rule",
    )
    apps_script_projects: StrictBool = Field(
        default=False, description="connect them, too: projects with ids `sys-*`, excluded otherwise"
    )

    def onto(self, policy: Policy, profiles: Mapping[str, Profile], targets: Mapping[str, Target]) -> Policy:
        """The policy for projects: `policy` is the file's, `profiles` as GCP has them. Names have to be known."""
        return replace(
            policy,
            provider=Provider.GCP,
            gcp=None,
            organization=self.organization,
            mode=Mode(self.mode),
            organization_connector=self._connector(),
            target=targets[self.target] if self.target else policy.target,
            default_profile=profiles[self.default_profile],
            rules=tuple(
                Rule(
                    match=rule.match.to_domain(),
                    profile=profiles[rule.profile],
                    target=targets[rule.target] if rule.target else None,
                    name=rule.name,
                )
                for rule in self.rules
            ),
            exclusions=self._exclusions(),
        )

    def ciem_application(self) -> Ciem | None:
        """The application of GCP's CIEM; Google is told of no subject."""
        return Ciem(application=self.ciem.application, subject="") if self.ciem else None

    def _connector(self) -> OrganizationConnector | None:
        management, connector = self.management_project, self.organization_connector
        if self.mode != "member" or management is None or connector is None:
            return None
        return OrganizationConnector(
            name=connector.name,
            management_account=management.number,
            management_id=management.id,
            parent=connector.parent or self.organization,
        )

    def _exclusions(self) -> Matcher:
        asked = self.exclusions.to_domain()
        return asked if self.apps_script_projects else replace(asked, names=(*asked.names, APPS_SCRIPT))
