"""Names and audiences of Defender's identities in GCP against what Microsoft has published of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.domain import gcp_identities as identities
from shared.domain.gcp_connector_api import OFFERING_OF, offerings_of
from shared.domain.gcp_identities import AUDIENCE_OF, PROVIDER_OF, ServiceAccount, WorkloadProvider
from tests.fixtures.project_bodies import MEMBERSHIPS, PROJECT, WITH_CIEM

TENANT = "00000000-0000-4000-8000-0000000000f1"
LEGACY = {"azure-arc-for-servers-onboard"}
"""It has no provider: no offering names it."""


@pytest.fixture(scope="module")
def published(evidence: Path) -> dict[str, Any]:
    text = (evidence / "reference" / "data" / "gcp_identities.json").read_text(encoding="utf-8")
    facts: dict[str, Any] = json.loads(text)
    return facts


def test_every_provider_has_the_published_audience_and_issuer(published: dict[str, Any]) -> None:
    assert {str(provider): audience for provider, audience in AUDIENCE_OF.items()} == {
        name: facts["audience"] for name, facts in published["providers"].items()
    }
    for provider in WorkloadProvider:
        said = published["providers"][provider].get("issuer", published["issuer"])
        assert identities.issuer_of(provider, TENANT) == said.replace("<customer tenant id>", TENANT)
    assert identities.CIEM_APPLICATION_ID in published["providers"]["ciem-discovery"]["attribute_condition"]


def test_every_service_account_comes_through_the_published_provider(published: dict[str, Any]) -> None:
    accounts = {name: facts for name, facts in published["service_accounts"].items() if name not in LEGACY}
    assert {str(account): str(provider) for account, provider in PROVIDER_OF.items()} == {
        name: facts["provider"] for name, facts in accounts.items()
    }


def test_every_field_names_the_published_service_account(published: dict[str, Any]) -> None:
    offerings = {each["offeringType"]: each for each in offerings_of(PROJECT, WITH_CIEM, MEMBERSHIPS["standalone"])}
    named = {
        (kind, field): value["serviceAccountEmailAddress"].partition("@")[0]
        for kind, offering in offerings.items()
        for field, value in offering.items()
        if isinstance(value, dict) and "serviceAccountEmailAddress" in value
    }
    for name in set(ServiceAccount) - {ServiceAccount.ONBOARDING}:
        kind, field = published["service_accounts"][name]["field"].split(".")
        found = {each for (offering, part), each in named.items() if part == field and kind in {"*", offering}}
        assert found == {name}
    assert set(offerings) == set(OFFERING_OF.values())


def test_the_pool_is_named_after_the_tenant(published: dict[str, Any]) -> None:
    assert "WITHOUT dashes" in published["pool"]["id"]
    assert identities.pool_id(TENANT.upper()) == TENANT.replace("-", "")


def test_every_api_that_we_ask_for_is_a_published_one(published: dict[str, Any]) -> None:
    documented = set(published["apis_documented"])
    extra = set(published["apis_terraform_extra"]) | set(published["apis_postcheck_extra"])
    assert documented <= set(identities.services_of(WITH_CIEM)) <= documented | extra
