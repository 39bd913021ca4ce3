"""The policy for the accounts of one cloud, for whoever was asked about that cloud."""

from __future__ import annotations

from shared.domain.accounts import Provider
from shared.domain.policy import Policy
from shared.errors import ConfigurationError


def policy_for(policy: Policy, provider: Provider) -> Policy:
    """What the policy says about one cloud. Raises ConfigurationError where it says nothing."""
    found = policy.of(provider)
    if found is None:
        raise ConfigurationError(
            "the policy says nothing about projects",
            setting="the section `gcp` of the policy",
            remedy="Add the section `gcp` to the policy (docs/policy.md, GCP projects), and publish it.",
        )
    return found
