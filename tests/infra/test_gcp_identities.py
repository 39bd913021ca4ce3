"""infra/gcp: the identities that it makes are those that Defender for Cloud asks for, plan by plan."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sandbox.gcp import deployment
from shared.domain import gcp_grants as grants_of
from tests.infra.gcp_module import (
    ALL_PARTS,
    IDENTITY,
    MICROSOFT,
    MODULE,
    PROJECT,
    TENANT,
    World,
    evaluated,
    grants,
    instances,
)


def identities(world: World) -> tuple[set[str], set[str]]:
    """Ids of Defender's service accounts and providers."""
    return (
        set(world["google_service_account.defender"]),
        set(world["google_iam_workload_identity_pool_provider.defender"]),
    )


def test_identities_are_those_of_the_evidence(evidence: Path, data: dict[str, Any]) -> None:
    facts = json.loads((evidence / "reference/data/gcp_identities.json").read_text(encoding="utf-8"))
    assert data["issuer"] == facts["issuer"] == MICROSOFT
    assert data["pool_display_name"] == facts["pool"]["display_name"]
    assert {name: (each["audience"], each["confidence"]) for name, each in data["providers"].items()} == {
        name: (each["audience"], each["confidence"]) for name, each in facts["providers"].items()
    }
    ciem = facts["providers"]["ciem-discovery"]
    assert ciem["attribute_condition"] == f"attribute.appid=='{data['providers']['ciem-discovery']['app_id']}'"
    assert {name: _account(each) for name, each in data["service_accounts"].items()} == {
        name: _account(each) for name, each in facts["service_accounts"].items()
    }
    assert {email: each["roles"] for email, each in data["external_members"].items()} == {
        email: [role] for email, role in facts["external_members"].items()
    }
    known = {name: sorted(each) for name, each in data["custom_roles"].items()}
    assert {name: sorted(each) for name, each in facts["custom_roles"].items()}.items() <= known.items()
    assert data["audit_logs"] == facts["audit_config"]
    services = [name for name, each in facts.items() if name.startswith("apis_") for name in each]
    assert sorted(data["services"]) == sorted(set(services))


def _account(said: dict[str, Any]) -> tuple[Any, list[str], Any]:
    roles = [role.partition(" ")[0] for role in said["roles"]]
    return said.get("provider"), roles, said.get("read_only_roles", said.get("roles_least_privilege"))


def test_identities_are_those_of_the_code(data: dict[str, Any], tmp_path: Path) -> None:
    code = pytest.importorskip("shared.domain.gcp_identities", reason="the code does not know GCP's identities yet")
    profiles = pytest.importorskip("shared.domain.profiles")
    assert {each: code.AUDIENCE_OF[each] for each in code.WorkloadProvider} == {
        name: each["audience"] for name, each in data["providers"].items()
    }
    federated = {name: each["provider"] for name, each in data["service_accounts"].items() if "provider" in each}
    assert dict(code.PROVIDER_OF) == federated
    assert (data["issuer"], data["providers"]["ciem-discovery"]["app_id"]) == (code.ISSUER, code.CIEM_APPLICATION_ID)
    profile = profiles.Profile(
        name="all",
        cspm=profiles.DefenderCspm(ciem=profiles.Ciem(application="ciem", subject=IDENTITY)),
        servers=profiles.Servers(),
        containers=profiles.Containers(),
        databases=profiles.Databases(),
    )
    accounts, _ = identities(evaluated(tmp_path, parts=ALL_PARTS))
    own = {"mdc-onboarding-sa", "azure-arc-for-servers-onboard"}  # of the organization's connector, and named by none
    assert {str(each) for each in code.service_accounts_of(profile)} == accounts - own
    assert evaluated(tmp_path)["google_iam_workload_identity_pool.defender"][0][
        "workload_identity_pool_id"
    ] == code.pool_id(TENANT)


def test_what_the_code_looks_for_is_what_the_data_grants_and_by_which_variable(data: dict[str, Any]) -> None:
    accounts = data["service_accounts"]
    granted = {name: tuple(each["roles"]) for name, each in accounts.items() if name != grants_of.ARC_ACCOUNT}
    assert dict(grants_of.ROLES_OF) == granted
    assert accounts[grants_of.ARC_ACCOUNT]["token_creators"] == list(grants_of.ARC_CREATORS)
    assert {name: (each.variable, each.value) for name, each in grants_of.MADE_BY.items()} == {
        name: _variable(each) for name, each in accounts.items()
    }
    for outsider in (grants_of.SCANNER, grants_of.AUDIT_LOGS):
        known = data["external_members"][outsider.email]
        assert (list(outsider.roles), outsider.made.value) == (known["roles"], known["part"])
    read_only = {
        role: instead
        for each in accounts.values()
        for role, instead in zip(each["roles"], each.get("read_only_roles", ()), strict=False)
    }
    assert read_only == grants_of.READ_ONLY_INSTEAD


def _variable(account: dict[str, Any]) -> tuple[str, str]:
    """A part where it has one, else its plan; what is always there has neither."""
    if "part" in account:
        return "parts", account["part"]
    [plan] = account["plans"]
    return ("", "") if plan == "foundational_cspm" else ("plans", plan)


def test_the_sandbox_gives_rollcall_what_the_module_does_and_no_more(data: dict[str, Any]) -> None:
    written = (MODULE / "identities.tf").read_text(encoding="utf-8").partition("rollcall_permissions = ")[2]
    made = (MODULE / "rollcall.tf").read_text(encoding="utf-8")
    assert sorted(deployment.ROLE_PERMISSIONS) == sorted(re.findall(r'"([a-z]+(?:\.[A-Za-z]+)+)"', written))
    identities = re.findall(r'"(iam\.serviceAccounts\.[A-Za-z]+)"', made)
    assert list(deployment.IDENTITIES_PERMISSIONS) == identities
    for role in (deployment.POLICY_VIEWER, deployment.POOL_VIEWER):
        assert f'"{role}"' in made


ALWAYS = {"mdc-onboarding-sa", "microsoft-defender-cspm"}
IMAGES_AND_CLUSTERS = {"mdc-containers-k8s-operator", "mdc-containers-artifact-assess"}


@pytest.mark.parametrize(
    ("variables", "accounts", "providers", "outside"),
    [
        ({"plans": []}, ALWAYS, {"auto-provisioner", "cspm"}, set()),
        (
            {"plans": ["servers"]},
            ALWAYS | {"microsoft-defender-for-servers", "azure-arc-for-servers-onboard"},
            {"auto-provisioner", "cspm", "defender-for-servers"},
            {"mdc-agentless-scanning"},
        ),
        (
            {"plans": ["databases"], "parts": []},
            ALWAYS | {"microsoft-databases-arc-ap"},
            {"auto-provisioner", "cspm", "defender-for-databases-arc-ap"},
            set(),
        ),
        (
            {"plans": ["containers"], "parts": ["audit_logs", "image_assessment", "kubernetes_discovery"]},
            ALWAYS | IMAGES_AND_CLUSTERS | {"microsoft-defender-containers", "ms-defender-containers-stream"},
            {"auto-provisioner", "cspm", "containers", "containers-streams"},
            {"cloud-logs"},
        ),
        (
            {"plans": ["defender_cspm"], "parts": ["ciem", "sensitive_data", "encrypted_disks"]},
            ALWAYS | {"mdc-data-sec-posture-storage", "microsoft-defender-ciem"},
            {"auto-provisioner", "cspm", "data-security-posture-storage", "ciem-discovery"},
            {"service-220551266886"},
        ),
    ],
    ids=["none", "servers", "databases", "containers", "defender_cspm"],
)
def test_a_plan_brings_its_own_identities_and_no_others(
    variables: dict[str, Any], accounts: set[str], providers: set[str], outside: set[str], tmp_path: Path
) -> None:
    world = evaluated(tmp_path, **variables)
    assert identities(world) == (accounts, providers)
    assert {each["member"].partition("@")[0] for each in instances(world, "google_organization_iam_member")} - {
        f"serviceAccount:{each}" for each in (*accounts, "rollcall")
    } == {f"serviceAccount:{each}" for each in outside}
    granted = {role for _, role in grants(world) if not role.startswith("roles/")}
    assert granted == set(world["google_organization_iam_custom_role.defender"]) | {"rollcall", "rollcallIdentities"}
    federated = set(world["google_service_account_iam_member.defender_federation"])
    assert federated == accounts - {"azure-arc-for-servers-onboard"}
    assert bool(world["google_organization_iam_audit_config.defender"]) is ("containers" in variables["plans"])


def test_providers_take_tokens_of_the_right_tenant_for_their_audience_only(
    largest: World, data: dict[str, Any]
) -> None:
    own = {
        "ciem-discovery": (
            f"https://sts.windows.net/{TENANT}/",
            "attribute.appid=='b46c3ac5-9da6-418f-a849-0a07a10b3c6c'",
        )
    }
    found = largest["google_iam_workload_identity_pool_provider.defender"]
    assert set(found) == set(data["providers"])
    for name, each in found.items():
        issuer, condition = own.get(name, (MICROSOFT, None))
        assert each["oidc"] == [{"issuer_uri": issuer, "allowed_audiences": [data["providers"][name]["audience"]]}]
        assert each["attribute_condition"] == condition
        assert each["workload_identity_pool_id"] == TENANT.replace("-", "")


def test_arc_accounts_are_spoken_for_by_the_accounts_that_are_there(tmp_path: Path) -> None:
    made = evaluated(tmp_path, plans=["databases"])["google_service_account_iam_member.defender_token_creators"]
    [(name, grant)] = made.items()
    assert name == "azure-arc-for-servers-onboard microsoft-databases-arc-ap"
    assert grant["role"] == "roles/iam.serviceAccountTokenCreator"
    assert grant["member"] == f"serviceAccount:microsoft-databases-arc-ap@{PROJECT}.iam.gserviceaccount.com"


def test_image_assessment_that_only_reads_has_other_roles(tmp_path: Path, data: dict[str, Any]) -> None:
    world = evaluated(tmp_path, read_only_image_assessment=True)
    member = f"serviceAccount:mdc-containers-artifact-assess@{PROJECT}.iam.gserviceaccount.com"
    assert {role for each, role in grants(world) if each == member} == {
        "roles/storage.objectViewer",
        "roles/artifactregistry.reader",
    }


def test_names_and_texts_are_such_as_google_takes(largest: World) -> None:
    for each in instances(largest, "google_service_account"):
        assert re.fullmatch(r"[a-z](?:[-a-z0-9]{4,28}[a-z0-9])", each["account_id"])
        assert len(each["display_name"]) <= 100
    for kind, field in (
        ("google_iam_workload_identity_pool", "workload_identity_pool_id"),
        ("google_iam_workload_identity_pool_provider", "workload_identity_pool_provider_id"),
    ):
        assert all(re.fullmatch(r"(?!gcp-)[a-z0-9-]{4,32}", each[field]) for each in instances(largest, kind))
    for each in instances(largest, "google_organization_iam_custom_role"):
        assert re.fullmatch(r"[a-zA-Z0-9_.]{3,64}", each["role_id"])
        assert len(each["permissions"]) == len(set(each["permissions"])) > 0
