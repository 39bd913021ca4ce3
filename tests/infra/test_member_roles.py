"""infra/aws/member-roles.yaml: which roles each group of parameters makes, whom they trust, what they may do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

from sandbox.deployment import MEMBER_TEMPLATE
from sandbox.deployment import TEMPLATE as MANAGEMENT_TEMPLATE
from shared.domain.identity_provider import audiences_of
from shared.domain.profiles import Profile
from tests.fixtures.profiles import CSPM_ONLY, FOUNDATIONAL, READY_MADE
from tests.infra.member_roles import ACCOUNT, ALWAYS, EVERYTHING, GROUPS, STRINGS, TEMPLATE, TENANT, Account, as_list

MICROSOFT = "https://sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
OURS = f"https://sts.windows.net/{TENANT}/"
LOG_READER = "api://1462b192-27f7-4cb9-8523-0f4ecb54b47e"
SUBJECT = "0f4ecb54-b47e-4cb9-8523-1462b19227f7"
OF_DEFENDER_FOR_CSPM = {
    "AgentlessScanner",
    "SensitiveDataDiscovery",
    "DatabasePosture",
    "ImageAssessment",
    "KubernetesDiscovery",
}
# What Microsoft documents as a whole service, and the only names of what it may do that to.
WHOLE_SERVICES = {"firehose:*", "s3:*", "sqs:*"}
NAMES_OF_DEFENDER = ("azuredefender-*", "ms-defender-*")
# Of the documented roles those that the template's first comment says are not there.
LEFT_OUT = {
    "DefenderForCloud-DataThreatProtectionDB",
    "AWS-MDCSetup-HostMgmtRole-<region>-<ConfigurationID>",
}


def arn(role_name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{role_name}"


def provider_arn(url: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.removeprefix('https://')}"


def web_identity(audience: str) -> dict[str, Any]:
    """The statement by which Defender for Cloud assumes a role for our tenant."""
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider_arn(MICROSOFT)},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringLike": {
                f"{MICROSOFT.removeprefix('https://')}:aud": audience,
                "sts:RoleSessionName": f"MicrosoftDefenderForClouds_{TENANT}",
            }
        },
    }


def test_member_template_suits_a_service_managed_stack_set() -> None:
    text = MEMBER_TEMPLATE.read_text(encoding="utf-8")
    assert "Transform" not in TEMPLATE
    assert "Fn::Transform" not in text
    assert len(text.encode()) < 51_200


def test_every_group_is_off_unless_asked_for() -> None:
    defaults = {name: parameter.get("Default") for name, parameter in TEMPLATE["Parameters"].items()}
    others = {"TenantId": None, "IdentityProvider": "create"} | dict.fromkeys(STRINGS, "")
    assert defaults == others | dict.fromkeys(GROUPS, "false")
    account = Account()
    assert account.roles.keys() == ALWAYS
    assert account.providers.keys() == {MICROSOFT}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_makes_exactly_its_roles(group: str) -> None:
    assert TEMPLATE["Parameters"][group]["AllowedValues"] == ["true", "false"]
    account = Account(**{group: "true"})
    assert account.roles.keys() == ALWAYS | GROUPS[group]
    assert account.providers.keys() == ({MICROSOFT, OURS} if group == "Ciem" else {MICROSOFT})


def test_all_groups_together_make_every_role_of_the_template() -> None:
    account = Account(**EVERYTHING)
    declared = [found for found in TEMPLATE["Resources"].values() if found["Type"] == "AWS::IAM::Role"]
    assert account.roles.keys() == ALWAYS.union(*GROUPS.values())
    assert len(declared) == len(account.roles)


def test_the_strings_alone_make_nothing() -> None:
    account = Account(DataCollectionExternalId="external", CiemSubject=SUBJECT)
    assert account.roles == Account().roles
    assert account.providers == Account().providers


def test_the_stack_set_declares_every_parameter_with_its_default() -> None:
    resources = yaml_parse(MANAGEMENT_TEMPLATE.read_text(encoding="utf-8"))["Resources"]
    condition, declared, otherwise = resources["MemberRoles"]["Properties"]["Parameters"]["Fn::If"]
    assert (condition, otherwise) == ("TakesOurParameters", {"Ref": "AWS::NoValue"})
    expected = {name: parameter.get("Default") for name, parameter in TEMPLATE["Parameters"].items()}
    assert len(declared) == len(expected)
    assert {item["ParameterKey"]: item["ParameterValue"] for item in declared} == expected | {
        "TenantId": {"Ref": "TenantId"}
    }


@pytest.mark.parametrize(
    ("profile", "groups"), [(FOUNDATIONAL, set()), (CSPM_ONLY, OF_DEFENDER_FOR_CSPM)], ids=["smallest", "cspm"]
)
def test_a_profile_sets_every_parameter_but_the_tenant_and_who_makes_the_provider(
    profile: Profile, groups: set[str]
) -> None:
    parameters = profile.stack_parameters()
    assert parameters.keys() == TEMPLATE["Parameters"].keys() - {"TenantId", "IdentityProvider"}
    assert {name for name, value in parameters.items() if value == "true"} == groups
    assert {name for name, value in parameters.items() if value == ""} == set(STRINGS)


@pytest.mark.parametrize("given", [EVERYTHING, EVERYTHING | {"DataCollectionExternalId": "external"}])
def test_defender_assumes_roles_for_our_tenant_only(given: dict[str, str]) -> None:
    account = Account(**given)
    seen = 0
    for name in account.roles:
        for statement in account.trust(name):
            if statement["Principal"].get("Federated") == provider_arn(MICROSOFT):
                seen += 1
                (audience,) = (
                    value for key, value in statement["Condition"]["StringLike"].items() if key.endswith("/:aud")
                )
                assert "*" not in audience
                assert statement == web_identity(audience)
    assert seen == len(account.roles) - 4  # two roles of services and two of CIEM


@pytest.mark.parametrize("given", [{}, *({group: "true"} for group in GROUPS), EVERYTHING], ids=str)
def test_a_provider_admits_every_audience_that_a_role_trusts(given: dict[str, str]) -> None:
    account = Account(**given)
    clients = {provider_arn(url): set(found["ClientIdList"]) for url, found in account.providers.items()}
    for name in account.roles:
        for statement in account.trust(name):
            if provider := statement["Principal"].get("Federated"):
                audiences = {
                    value
                    for keys in statement["Condition"].values()
                    for key, value in keys.items()
                    if key.endswith(":aud")
                }
                assert audiences
                assert audiences <= clients[provider], name


@pytest.mark.parametrize("given", [{}, EVERYTHING], ids=["nothing", "everything"])
def test_an_existing_provider_is_not_made_and_the_roles_trust_it_as_they_would_trust_ours(
    given: dict[str, str],
) -> None:
    made, adopted = Account(**given), Account(IdentityProvider="existing", **given)
    assert made.providers.keys() - adopted.providers.keys() == {MICROSOFT}
    assert adopted.roles == made.roles


@pytest.mark.parametrize("profile", READY_MADE.values(), ids=lambda profile: profile.name)
def test_the_audiences_that_an_existing_provider_has_to_list_are_those_that_the_roles_trust(profile: Profile) -> None:
    account = Account(IdentityProvider="existing", **profile.stack_parameters())
    trusted = {
        statement["Condition"]["StringLike"][f"{MICROSOFT.removeprefix('https://')}:aud"]
        for name in account.roles
        for statement in account.trust(name)
        if statement["Principal"].get("Federated") == provider_arn(MICROSOFT)
    }
    assert audiences_of(profile) == tuple(sorted(trusted))


def test_the_provider_admits_the_readers_of_cluster_logs_only_where_there_are_any() -> None:
    without, with_logs = Account(), Account(ContainersRuntime="true")
    assert LOG_READER not in without.providers[MICROSOFT]["ClientIdList"]
    assert with_logs.providers[MICROSOFT]["ClientIdList"] == [
        *without.providers[MICROSOFT]["ClientIdList"],
        LOG_READER,
    ]


def test_microsofts_user_reads_cluster_logs_only_with_an_external_id() -> None:
    name = "DefenderForCloud-DataCollection"
    assert Account(ContainersRuntime="true").trust(name) == [web_identity(LOG_READER)]
    account = Account(ContainersRuntime="true", DataCollectionExternalId="an-external-id")
    assert account.trust(name) == [
        web_identity(LOG_READER),
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::197857026523:user/azuredefender-eks"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "an-external-id"}},
        },
    ]


def test_logs_and_firehose_assume_their_roles_and_nobody_else() -> None:
    account = Account(ContainersRuntime="true")
    assert account.trust("DefenderForCloud-Containers-K8s-cloudwatch-to-kinesis") == [
        {"Effect": "Allow", "Principal": {"Service": "logs.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
    assert account.trust("DefenderForCloud-Containers-K8s-kinesis-to-s3") == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "firehose.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": ACCOUNT}},
        }
    ]


@pytest.mark.parametrize("subject", ["", SUBJECT])
def test_ciem_is_one_subject_of_our_own_tenant(subject: str) -> None:
    """The empty subject is nobody's."""
    account = Account(Ciem="true", CiemSubject=subject)
    host = OURS.removeprefix("https://")
    assert account.providers[OURS]["ClientIdList"] == ["api://mciem-aws-oidc-app"]
    assert account.trust("DefenderForCloud-OidcCiem") == [
        {
            "Effect": "Allow",
            "Principal": {"Federated": provider_arn(OURS)},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{host}:aud": "api://mciem-aws-oidc-app", f"{host}:sub": subject}},
        }
    ]
    assert account.trust("DefenderForCloud-Ciem") == [
        {"Effect": "Allow", "Principal": {"AWS": arn("DefenderForCloud-OidcCiem")}, "Action": "sts:AssumeRole"}
    ]
    (statement,) = account.statements("DefenderForCloud-OidcCiem")
    assert statement["Resource"] == arn("DefenderForCloud-Ciem")


def test_a_whole_service_is_allowed_only_on_what_defender_makes_for_itself() -> None:
    account = Account(**EVERYTHING)
    found = set()
    for name in account.roles:
        for statement in account.statements(name):
            whole = {action for action in as_list(statement["Action"]) if "*" in action}
            if not whole or statement["Effect"] == "Deny":
                continue
            found |= whole
            for resource in as_list(statement["Resource"]):
                assert resource.endswith(NAMES_OF_DEFENDER), (name, resource)
    assert found == WHOLE_SERVICES


def test_only_the_roles_of_the_log_pipeline_are_passed_and_each_to_its_service() -> None:
    account = Account(**EVERYTHING)
    passed = {
        statement["Resource"]: [
            service for keys in statement["Condition"].values() for service in as_list(keys["iam:PassedToService"])
        ]
        for name in account.roles
        for statement in account.statements(name)
        if "iam:PassRole" in as_list(statement["Action"])
    }
    assert passed == {
        arn("DefenderForCloud-Containers-K8s-cloudwatch-to-kinesis"): ["logs.amazonaws.com", "logs.*.amazonaws.com"],
        arn("DefenderForCloud-Containers-K8s-kinesis-to-s3"): ["firehose.amazonaws.com"],
    }


def test_no_role_may_tag_a_database_key_into_its_own_hands() -> None:
    """Conditions on a key's own tags beside the permission to tag keys would open every key of the account."""
    for statement in Account(**EVERYTHING).statements("DefenderForCloud-DataSecurityPostureDB"):
        assert "aws:ResourceTag" not in json.dumps(statement.get("Condition", {}))
        if {"kms:CreateKey", "kms:TagResource"} & set(as_list(statement["Action"])):
            assert statement["Condition"] == {"ForAnyValue:StringLike": {"aws:TagKeys": "DefenderForDatabases*"}}


def test_providers_are_those_that_microsoft_documents(evidence: Path) -> None:
    documented = json.loads((evidence / "reference" / "data" / "aws_roles.json").read_text())["oidc_providers"]
    account = Account(**EVERYTHING)
    for name, url in (("ASCDefendersOIDCIdentityProvider", MICROSOFT), ("MDCCiemOIDCIdentityProvider", OURS)):
        assert documented[name]["url"].replace("<customer tenant id>", TENANT) == url
        assert account.providers[url]["ThumbprintList"] == [documented[name]["thumbprint"]]
    assert set(Account().providers[MICROSOFT]["ClientIdList"]) == set(
        documented["ASCDefendersOIDCIdentityProvider"]["client_ids"]
    )
    assert account.providers[OURS]["ClientIdList"] == documented["MDCCiemOIDCIdentityProvider"]["client_ids"]


def test_roles_and_trusts_are_those_that_microsoft_documents(evidence: Path) -> None:
    documented = json.loads((evidence / "reference" / "data" / "aws_roles.json").read_text())
    roles = {role["default_name"]: role for role in documented["roles"]}
    account = Account(**EVERYTHING)
    assert roles.keys() - account.roles.keys() == LEFT_OUT
    assert account.roles.keys() <= roles.keys()
    session_name = documented["role_session_name"].replace("<customer Entra tenant id>", TENANT)
    assert web_identity("any")["Condition"]["StringLike"]["sts:RoleSessionName"] == session_name
    for name in account.roles:
        trusted = json.dumps(account.trust(name))
        if "sts:RoleSessionName" in roles[name]["trust"]:
            assert account.trust(name)[0] == web_identity(roles[name]["audience"]), name
        elif roles[name]["audience"] is not None:
            assert f':aud": "{roles[name]["audience"]}"' in trusted, name
        else:
            assert "AssumeRoleWithWebIdentity" not in trusted, name


@pytest.mark.parametrize(
    ("plan", "besides", "groups"),
    [
        ("DefenderCspmAws", set(), OF_DEFENDER_FOR_CSPM),
        ("DefenderCspmAws.ciem", set(), {"Ciem"}),
        ("DefenderForServersAws", {"DefenderForCloud-AgentlessScanner"}, {"Servers", "ArcProvisioning"}),
        (
            "DefenderForContainersAws",
            {"DefenderForCloud-AgentlessScanner"},
            {"ContainersRuntime", "ImageAssessment", "KubernetesDiscovery"},
        ),
    ],
)
def test_the_roles_of_a_plan_are_whole_groups(evidence: Path, plan: str, besides: set[str], groups: set[str]) -> None:
    """`besides` belongs to the plan only with one of its options."""
    documented = json.loads((evidence / "reference" / "data" / "aws_roles.json").read_text())
    named = {role["default_name"] for role in documented["roles"] if plan in role["plans"]}
    assert named - LEFT_OUT - besides == set().union(*(GROUPS[group] for group in groups))
