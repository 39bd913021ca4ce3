"""Google Cloud for the Function App, opened when first needed: a deployment for AWS alone has no settings for it.

Nor does it wait for Google's SDK: each adapter is imported where it is built.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.domain.accounts import Provider

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.adapters.gcp.client import GoogleClient
    from shared.adapters.gcp.identities import GcpProjectIdentities
    from shared.adapters.gcp.instances import GcpInstances
    from shared.adapters.gcp.projects import GcpProjects
    from shared.adapters.gcp.rules import GcpOrganizationRules
    from shared.adapters.gcp.setup import GcpProjectSetup
    from shared.adapters.settings import GcpSettings
    from shared.application.ports import Clock, PolicySource


class GoogleAccess:
    """One identity and its connections, kept; the organization is the policy's of the moment.

    All methods raise ConfigurationError that names what is missing.
    """

    def __init__(self, credential: TokenCredential, settings: GcpSettings, policy: PolicySource, clock: Clock) -> None:
        self._credential = credential
        self._settings = settings
        self._policy = policy
        self._clock = clock
        self._known: dict[str, GcpProjects] = {}

    @cached_property
    def _client(self) -> GoogleClient:
        from shared.adapters.gcp.client import GoogleClient
        from shared.adapters.gcp.credentials import federated_session, identity_of

        session = federated_session(self._credential, identity_of(self._settings))
        return GoogleClient(session, self._clock, endpoint=self._settings.endpoint)

    def projects(self) -> GcpProjects:
        """The projects of the policy's organization."""
        from shared.adapters.gcp.projects import GcpProjects
        from shared.application.provider_policy import policy_for

        policy = policy_for(self._policy.current(), Provider.GCP)
        if policy.organization not in self._known:
            self._known[policy.organization] = GcpProjects(self._client, policy.organization, self._clock)
        return self._known[policy.organization]

    def setup(self) -> GcpProjectSetup:
        """What is switched on in them."""
        from shared.adapters.gcp.setup import GcpProjectSetup

        return GcpProjectSetup(self._client, self._clock)

    def identities(self) -> GcpProjectIdentities:
        """Defender's way into them."""
        from shared.adapters.gcp.identities import GcpProjectIdentities

        return GcpProjectIdentities(self._client)

    def rules(self) -> GcpOrganizationRules:
        """What is granted and what is forbidden."""
        from shared.adapters.gcp.rules import GcpOrganizationRules

        return GcpOrganizationRules(self._client)

    def instances(self) -> GcpInstances:
        """Their virtual machines."""
        from shared.adapters.gcp.instances import GcpInstances

        return GcpInstances(self._client, self.setup())
