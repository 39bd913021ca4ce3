"""What `rollcall policy explain` says of a project, as it is or as it is told."""

from __future__ import annotations

import pytest

from shared.domain.gcp_connector_api import OFFERING_OF
from tests.fixtures.read import ACCOUNT_ID
from tests.unit.project_commands.conftest import (
    MANAGEMENT_ID,
    SHOP,
    Desk,
    flat,
)
from tests.unit.test_project_policy import MANAGEMENT


def test_explain_names_rule_plans_place_and_body_of_a_project(desk: Desk) -> None:
    said = desk.run("policy", "explain", "acme-shop-1")
    assert said.code == 0, said.err
    assert said.out.startswith(f"project {SHOP}  acme-shop-1  /Shops\n")
    for line in ("plans     CspmMonitorGcp", "cloudresourcemanager.googleapis.com", "rule      none matches"):
        assert line in said.out
    assert "roles" not in said.out.split("body")[0]
    document = desk.run("policy", "explain", SHOP, "--provider", "gcp", "--json").document
    assert document["account"]["provider"] == "gcp"
    assert document["connector_id"].endswith(f"/gcp-{SHOP}")
    assert document["body"]["properties"]["environmentName"] == "GCP"
    assert document["profile"]["roles"] == []
    assert set(document["profile"]["plans"]) == set(OFFERING_OF.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("acme-sand-1",), "exclude: excluded by folder path /Sandbox"),
        (("acme-gone-1",), "exclude: the project is DELETE_REQUESTED"),
        (("55", "--provider", "gcp", "--ou", "/Sandbox/X", "--name", "acme-new-1"), "excluded by folder path /Sandbox"),
        (
            ("55", "--provider", "gcp", "--ou", "/", "--name", "acme-new-1", "--tag", "defender=exempt"),
            "exclude: excluded by label defender=exempt",
        ),
        (("55", "--provider", "gcp", "--ou", "/", "--name", "sys-123456"), "excluded by project id sys-*"),
        ((MANAGEMENT, "--provider", "gcp", "--ou", "/", "--name", MANAGEMENT_ID), "the Organization connector"),
        ((ACCOUNT_ID, "--ou", "/Sandbox", "--name", "x"), "012345678901  x  /Sandbox"),
    ],
)
def test_explain_of_a_project_as_it_is_or_as_it_is_told(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    answer = desk.run("policy", "explain", *arguments)
    assert (answer.code, said in answer.out) == (0, True), (answer.out, answer.err)
    assert ("\nrule " in answer.out) is ("\nexclude" not in answer.out), "whom the policy excludes gets no profile"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("acme-none-1",), 1, "the organization has no project acme-none-1"),
        (("12345",), 2, "for a GCP project's number say --provider gcp"),
        (("No Project",), 2, "neither an AWS account nor a GCP project"),
        (("acme-shop-1", "--provider", "aws"), 2, "twelve digits"),
        (("acme-shop-1", "--name", "x"), 2, "need --ou"),
        (("acme-shop-1", "--ou", "/"), 2, "named by its number"),
        ((SHOP, "--provider", "gcp", "--ou", "Shops", "--name", "acme-shop-1"), 2, "begins with a slash"),
        ((SHOP, "--provider", "gcp", "--ou", "/", "--name", "acme-shop-1", "--tag", "x"), 2, "KEY=VALUE"),
    ],
)
def test_what_cannot_be_explained_is_refused(desk: Desk, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = desk.run("policy", "explain", *arguments)
    assert (answer.code, said in flat(answer.err)) == (code, True), answer.err
