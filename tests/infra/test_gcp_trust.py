"""infra/gcp: who is let in and to what, and how events of projects get to the Function App."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.infra.gcp_module import (
    ENDPOINT,
    IDENTITY,
    NUMBER,
    ORGANIZATION,
    POOLS,
    PROJECT,
    PUSH,
    ROLLCALL,
    TENANT,
    World,
    evaluated,
    grants,
    resources,
)

PUBSUB = f"serviceAccount:service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"


def test_no_key_is_made_and_nothing_of_others_is_replaced() -> None:
    kinds = {each.kind for each in resources()}
    assert not [kind for kind in kinds if "key" in kind or kind.endswith("_iam_policy")]
    own = {"google_pubsub_topic_iam_binding", "google_pubsub_subscription_iam_binding"}
    assert {kind for kind in kinds if kind.endswith("_iam_binding")} == own


def test_nobody_in_general_is_let_in(largest: World) -> None:
    wide = {(member, role) for member, role in grants(largest) if not re.match(r"(serviceAccount|principal):", member)}
    defender = f"principalSet://{POOLS}/{TENANT.replace('-', '')}/*"
    assert wide == {(defender, "roles/iam.workloadIdentityUser")}


def test_the_only_basic_role_is_the_one_that_defender_asks_for(largest: World) -> None:
    basic = {"roles/viewer", "roles/editor", "roles/owner", "roles/browser"}
    accounts = ("microsoft-defender-cspm", "microsoft-defender-ciem")
    assert {(member, role) for member, role in grants(largest) if role in basic} == {
        (f"serviceAccount:{account}@{PROJECT}.iam.gserviceaccount.com", "roles/viewer") for account in accounts
    }


def test_rollcall_finds_projects_enables_services_and_reads_what_diagnosis_needs(usual: World) -> None:
    assert {role for member, role in grants(usual) if member == ROLLCALL} == {
        "rollcall",
        "rollcallIdentities",
        "roles/iam.workloadIdentityPoolViewer",
        "roles/orgpolicy.policyViewer",
    }
    permissions = set(usual["google_organization_iam_custom_role.rollcall"]["permissions"])
    permissions |= set(usual["google_organization_iam_custom_role.rollcall_identities"]["permissions"])
    reads = {each for each in permissions if re.search(r"\.(get|list|getIamPolicy)$", each)}
    assert permissions - reads == {"serviceusage.services.enable"}
    assert {"resourcemanager.projects.get", "resourcemanager.folders.get"} <= reads
    assert usual["google_organization_iam_member.rollcall_pools"] == []
    assert usual["google_organization_iam_member.rollcall_identities"] == []


def test_what_arc_needs_is_there_where_it_is_asked_for(usual: World, largest: World) -> None:
    added = set(largest["google_organization_iam_custom_role.rollcall"]["permissions"]) - set(
        usual["google_organization_iam_custom_role.rollcall"]["permissions"]
    )
    assert added == {
        "compute.globalOperations.get",
        "compute.instances.list",
        "compute.projects.get",
        "compute.projects.setCommonInstanceMetadata",
    }


def test_in_standalone_nothing_is_made_for_defender_and_rollcall_may_look_into_every_project(tmp_path: Path) -> None:
    world = evaluated(tmp_path, mode="standalone")
    assert {name for name, value in world.items() if name.startswith("google_") and not value} >= {
        each for each in world if each.endswith((".defender", ".external")) or ".defender_" in each
    }
    assert {
        member for member, _ in grants(world) if "microsoft" in member or "mdc-" in member.partition("@")[0]
    } == set()
    for name in ("rollcall_pools", "rollcall_identities"):
        [grant] = world[f"google_organization_iam_member.{name}"]
        assert (grant["org_id"], grant["member"]) == (ORGANIZATION, ROLLCALL)
    assert world["policy"] == {"organization": ORGANIZATION, "mode": "standalone"}


def test_one_identity_of_one_tenant_becomes_rollcall(usual: World) -> None:
    provider = usual["google_iam_workload_identity_pool_provider.rollcall"]
    assert provider["oidc"] == [
        {"issuer_uri": f"https://sts.windows.net/{TENANT}/", "allowed_audiences": ["api://rollcall-gcp"]}
    ]
    assert provider["attribute_condition"] == f"assertion.sub == '{IDENTITY}'"
    assert provider["attribute_mapping"] == {"google.subject": "assertion.sub"}
    trust = usual["google_service_account_iam_member.rollcall_federation"]
    assert trust["member"] == f"principal://{POOLS}/rollcall/subject/{IDENTITY}"
    assert trust["service_account_id"].endswith("/" + ROLLCALL.removeprefix("serviceAccount:"))


@pytest.mark.parametrize("method", ["CreateProject", "UndeleteProject", "MoveProject", "DeleteProject"])
@pytest.mark.parametrize(
    "prefix",
    ["", "google.cloud.resourcemanager.v3.Projects.", "google.cloudresourcemanager.v3.Projects."],
)
def test_the_sink_takes_events_of_both_versions(prefix: str, method: str, usual: World) -> None:
    assert _pattern(usual).search(prefix + method)


@pytest.mark.parametrize(
    "method", ["UpdateProject", "SetIamPolicy", "CreateProjectBillingInfo", "RecreateProject", "x.Folders.CreateFolder"]
)
def test_the_sink_takes_nothing_else(method: str, usual: World) -> None:
    assert not _pattern(usual).search(method)


def test_the_sink_takes_the_constructed_event(evidence: Path, usual: World) -> None:
    found = json.loads((evidence / "reference/events/gcp.CreateProject.v3.CONSTRUCTED.json").read_text())["entry"]
    said = usual["google_logging_organization_sink.project_events"]["filter"]
    assert _pattern(usual).search(found["protoPayload"]["methodName"])
    assert f'serviceName="{found["protoPayload"]["serviceName"]}"' in said
    assert found["logName"].endswith(re.findall(r'logName:"([^"]+)"', said)[0])
    assert "operation" not in said


def _pattern(world: World) -> re.Pattern[str]:
    [pattern] = re.findall(r'methodName=~"([^"]+)"', world["google_logging_organization_sink.project_events"]["filter"])
    return re.compile(pattern)


def test_the_sink_covers_the_whole_organization_and_alone_publishes(usual: World) -> None:
    sink = usual["google_logging_organization_sink.project_events"]
    assert (sink["org_id"], sink["include_children"]) == (ORGANIZATION, True)
    topic = usual["google_pubsub_topic.project_events"]
    assert sink["destination"] == f"pubsub.googleapis.com/{topic['id']}"
    publishers = usual["google_pubsub_topic_iam_binding.project_events"]
    assert (publishers["topic"], publishers["role"]) == (topic["name"], "roles/pubsub.publisher")
    assert publishers["members"] == [sink["writer_identity"]]


def test_the_sink_is_silent_where_nothing_takes_events_yet(usual: World, tmp_path: Path) -> None:
    sink = "google_logging_organization_sink.project_events"
    assert (usual[sink]["disabled"], evaluated(tmp_path, send_events=False)[sink]["disabled"]) == (False, True)


def test_pushes_carry_the_token_that_the_function_is_told_to_expect(usual: World) -> None:
    [push] = usual["google_pubsub_subscription.push"]["push_config"]
    assert push["push_endpoint"] == ENDPOINT
    [token] = push["oidc_token"]
    settings = usual["function_settings"]
    assert token["service_account_email"] == settings["ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT"] == PUSH
    assert token["audience"] == settings["ROLLCALL_GCP__PUSH_AUDIENCE"]
    minting = usual["google_service_account_iam_member.push_tokens"]
    assert (minting["member"], minting["role"]) == (PUBSUB, "roles/iam.serviceAccountTokenCreator")
    assert minting["service_account_id"].endswith(f"/{PUSH}")
    assert not [role for member, role in grants(usual) if member == f"serviceAccount:{PUSH}"]


def test_events_wait_for_a_function_that_is_down_and_then_for_a_person(usual: World) -> None:
    push, dead = usual["google_pubsub_subscription.push"], usual["google_pubsub_subscription.dead_letter"]
    assert [each["expiration_policy"] for each in (push, dead)] == [[{"ttl": ""}]] * 2
    assert (push["message_retention_duration"], dead["message_retention_duration"]) == ("604800s", "2678400s")
    assert push["retry_policy"] == [{"minimum_backoff": "10s", "maximum_backoff": "600s"}]
    topic = usual["google_pubsub_topic.dead_letter"]
    assert push["dead_letter_policy"] == [{"dead_letter_topic": topic["id"], "max_delivery_attempts": 100}]
    assert dead["topic"] == topic["id"]
    assert usual["google_pubsub_topic_iam_binding.dead_letter"]["members"] == [PUBSUB]
    assert usual["google_pubsub_subscription_iam_binding.push"]["members"] == [PUBSUB]
