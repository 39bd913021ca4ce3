"""Whom an id may mean, in one cloud or in two."""

from __future__ import annotations

import pytest

from shared.application.named import is_projects_too, known_as
from shared.domain.accounts import Provider, is_project_id, providers_of
from shared.domain.ledger import AccountKey, AccountRecord
from shared.domain.placement import is_member_below
from shared.messages.connector_request import ConnectorRequest
from tests.fakes.ledger import FakeLedger
from tests.fixtures.read import loaded, request
from tests.unit.test_project_policy import MANAGEMENT, MEMBER, stand

BOTH, ONLY_GCP = (Provider.AWS, Provider.GCP), (Provider.GCP,)
TWELVE = "100000000101"


@pytest.mark.parametrize(
    ("text", "clouds"),
    [
        (TWELVE, BOTH),
        ("012345678901", BOTH),
        ("1058671634847", ONLY_GCP),
        ("12345", ONLY_GCP),
        ("acme-shop-1", ONLY_GCP),
        ("example.com:acme-shop-1", ONLY_GCP),
        ("", ()),
        ("Acme", ()),
        ("acme", ()),
        ("acme-shop-", ()),
        ("9" * 21, ()),
        ("١٢٣٤٥٦٧٨٩٠١٢", ()),
        ("acme shop", ()),
    ],
)
def test_in_which_clouds_a_text_may_name_somebody(text: str, clouds: tuple[Provider, ...]) -> None:
    assert providers_of(text) == clouds
    assert is_project_id(text) is (clouds == ONLY_GCP and not text.isdigit())


def ledger(*known: tuple[Provider, str, str]) -> FakeLedger:
    found = FakeLedger()
    for provider, identifier, name in known:
        key = AccountKey(provider=provider, hierarchy_identifier=identifier)
        found._records[key] = AccountRecord(key=key, name=name)
    return found


def test_the_ledger_knows_by_number_in_every_cloud_that_is_asked_and_projects_by_id() -> None:
    of_both = ledger(
        (Provider.AWS, TWELVE, "acme-shop-1"),
        (Provider.GCP, TWELVE, "acme-shop-1"),
        (Provider.GCP, "7", "acme-other-1"),
    )

    def keys(text: str, *clouds: Provider) -> list[str]:
        return [str(each.key) for each in known_as(text, clouds, of_both)]

    assert keys(TWELVE, *BOTH) == [f"aws-{TWELVE}", f"gcp-{TWELVE}"]
    assert keys(TWELVE, Provider.GCP) == [f"gcp-{TWELVE}"]
    assert keys("acme-shop-1", *ONLY_GCP) == [f"gcp-{TWELVE}"]  # accounts are not named by their names
    assert keys("acme-none-1", *ONLY_GCP) == []
    assert keys("8", *ONLY_GCP) == []


def test_twelve_digits_are_a_projects_too_only_where_the_ledger_says_so_and_nobody_else_does() -> None:
    known = ledger((Provider.GCP, TWELVE, "acme-shop-1"))
    assert is_projects_too(TWELVE, None, known)
    assert not is_projects_too(TWELVE, Provider.AWS, known)
    assert not is_projects_too("012345678901", None, known)
    assert not is_projects_too("acme-shop-1", None, known)


def test_a_project_stands_below_its_management_project_whatever_it_names_as_parent() -> None:
    member = stand(MEMBER)
    assert member.organizational_data["parentHierarchyId"] != MANAGEMENT
    assert is_member_below(member, MANAGEMENT, MEMBER)
    assert not is_member_below(member, "100000000999", MEMBER)
    assert not is_member_below(stand(MEMBER, MANAGEMENT), MANAGEMENT, MEMBER)


def test_project_numbers_of_any_length_may_be_excluded_and_account_ids_of_twelve_digits_only() -> None:
    body = loaded("messages/connector-request-1.connect.json")
    told = {"exclusions": {"excluded": ["1058671634847"], "included": ["7"]}}
    gcp = body["data"] | told | {"provider": "gcp"}
    assert ConnectorRequest.model_validate(body | {"data": gcp}).data.told.excluded == {"1058671634847"}
    with pytest.raises(ValueError, match="twelve digits"):
        request(data=told)
