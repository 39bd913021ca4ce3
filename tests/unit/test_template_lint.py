"""`rollcall template build` and `lint`: one planted defect after the other, and what must not be read at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.template_files import OWN
from shared.adapters.policy.yaml_tree import UnreadableError
from shared.adapters.template.check import check_template
from shared.domain.documented_access import Access
from shared.domain.profiles import BUILT_IN, Ciem, Profile
from shared.domain.template_findings import Check
from tests.fixtures.profiles import CSPM_ONLY, EVERYTHING, FOUNDATIONAL, FULL
from tests.fixtures.read import FOLDER
from tests.own_time import own_time
from tests.unit.test_policy_command import Shell
from tests.unit.test_policy_command import shell as shell  # noqa: PLC0414 - a fixture
from tests.unit.test_policy_yaml import BOMB

TEMPLATES = FOLDER / "templates"
PORTAL, LEAST = TEMPLATES / "portal.default.json", TEMPLATES / "portal.least.json"
THREATS = (Check.ROLE_MISSING, "DefenderForCloud-DataThreatProtectionDB")
BARE = BUILT_IN["recommended"]  # without an external id, as no policy has given one
TENANT = "0aa1b2c3-1111-4222-8333-944445555666"
OTHER_TENANT = "1bb1b2c3-1111-4222-8333-944445555666"
CSPM = "CspmMonitorAws"
SERVERS = "DefenderForCloud-DefenderForServers"
PROVIDER = "OIDC provider sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
SCANNER_AUDIENCE = "api://AzureSecurityCenter.MultiCloud.DefenderForServers.VmScanner"
ASSUMED_BY_ANYBODY = """        Statement:
          - {Effect: Allow, Principal: {AWS: arn:aws:iam::999988887777:root}, Action: sts:AssumeRole}
          - Effect: Allow"""


@dataclass(frozen=True, kw_only=True)
class Defect:
    """`old` becomes `new`, the first time behind `after`; found at the line on which `at` then stands behind it."""

    check: Check
    subject: str
    old: str
    new: str
    after: str = ""
    at: str | None = None
    words: str = ""
    file: Path = OWN
    profile: Profile = FULL


DEFECTS = [
    Defect(
        check=Check.TRANSFORM,
        subject="template",
        old="Parameters:",
        new="Transform: AWS::Serverless-2016-10-31\nParameters:",
        at="Transform:",
    ),
    Defect(
        check=Check.TRANSFORM,
        subject="template",
        old="      RoleName: CspmMonitorAws\n",
        new="      RoleName: !Transform {Name: Macro, Parameters: {}}\n",
        at="RoleName: !Transform",
        words="macros",
    ),
    Defect(
        check=Check.PROVIDER_MISSING,
        subject=PROVIDER,
        old="ASCDefendersOIDCIdentityProvider:\n    Type: AWS::IAM::OIDCProvider",
        new="ASCDefendersOIDCIdentityProvider:\n    Type: AWS::SNS::Topic",
        words="Microsoft Sentinel",
    ),
    Defect(
        check=Check.PROVIDER_THUMBPRINT,
        subject=PROVIDER,
        old="626d44e704d1ceabe3bf0d53397464ac8080142c",
        new="0" * 40,
        at="ASCDefendersOIDCIdentityProvider:",
    ),
    Defect(
        check=Check.CLIENT_ID_MISSING,
        subject=PROVIDER,
        old=f"        - {SCANNER_AUDIENCE}\n",
        new="",
        at="ASCDefendersOIDCIdentityProvider:",
        words=SCANNER_AUDIENCE,
    ),
    Defect(
        check=Check.CLIENT_ID_UNKNOWN,
        subject=PROVIDER,
        old=f"        - {SCANNER_AUDIENCE}\n",
        new=f"        - {SCANNER_AUDIENCE}\n        - api://somebody-else\n",
        at="ASCDefendersOIDCIdentityProvider:",
        words="somebody-else",
    ),
    Defect(
        check=Check.ROLE_MISSING, subject=SERVERS, old="    Condition: WithServers\n", new="    Condition: WithCiem\n"
    ),
    Defect(
        check=Check.ROLE_RENAMED,
        subject="DefenderForCloud-Containers-K8s",
        old="RoleName: DefenderForCloud-Containers-K8s\n",
        new="RoleName: MDCContainersK8sRole\n",
        at="ContainersK8s:",
        words="MDCContainersK8sRole",
    ),
    Defect(
        check=Check.ROLE_UNKNOWN,
        subject="Intruder",
        old="Outputs:",
        new="  Another:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: Intruder\n\nOutputs:",
        at="Another:",
    ),
    Defect(
        check=Check.TRUST_MISSING,
        subject="DefenderForCloud-Containers-K8s-kinesis-to-s3",
        old='"Service": "firehose.amazonaws.com"',
        new='"Service": "lambda.amazonaws.com"',
        words="firehose.amazonaws.com may not",
        file=PORTAL,
        profile=BARE,
    ),
    Defect(
        check=Check.TRUST_UNKNOWN,
        subject=SERVERS,
        old="        Statement:\n          - Effect: Allow",
        new=ASSUMED_BY_ANYBODY,
        after="  DefenderForServers:",
        at="{Effect: Allow, Principal: {AWS",
        words="999988887777",
    ),
    Defect(
        check=Check.AUDIENCE_UNKNOWN,
        subject="SensitiveDataDiscovery",
        old=":aud: api://b2f86835-c959-461c-b08c-2cd5ca382af5",
        new=":aud: [api://b2f86835-c959-461c-b08c-2cd5ca382af5, api://somebody-else]",
        after="  SensitiveDataDiscoveryRole:",
        at="- Effect: Allow",
        words="somebody-else",
    ),
    Defect(
        check=Check.AUDIENCE_MISSING,
        subject="SensitiveDataDiscovery",
        old="                sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/:aud: "
        "api://b2f86835-c959-461c-b08c-2cd5ca382af5\n",
        new="",
        after="  SensitiveDataDiscoveryRole:",
        at="- Effect: Allow",
        words="b2f86835",
    ),
    Defect(
        check=Check.SESSION_NAME_MISSING,
        subject=CSPM,
        old="                sts:RoleSessionName: !Sub MicrosoftDefenderForClouds_${TenantId}\n",
        new="",
        after="  CspmMonitorAws:",
        at="- Effect: Allow",
    ),
    Defect(
        check=Check.SESSION_NAME_WRONG,
        subject=CSPM,
        old="!Sub MicrosoftDefenderForClouds_${TenantId}",
        new="MicrosoftDefenderForClouds_*",
        after="  CspmMonitorAws:",
        at="- Effect: Allow",
    ),
    Defect(
        check=Check.SESSION_NAME_WRONG,
        subject=CSPM,
        old="!Sub MicrosoftDefenderForClouds_${TenantId}",
        new="!Sub MicrosoftSentinel_${TenantId}",
        after="  CspmMonitorAws:",
        at="- Effect: Allow",
    ),
    Defect(
        check=Check.SESSION_NAME_WRONG,
        subject=CSPM,
        old=f"MicrosoftDefenderForClouds_{TENANT}",
        new=f"MicrosoftDefenderForClouds_{OTHER_TENANT}",
        after='"CspmMonitorAws": {',
        words=OTHER_TENANT,
        file=PORTAL,
        profile=BARE,
    ),
    Defect(
        check=Check.EXTERNAL_ID,
        subject="DefenderForCloud-Containers-K8s-kinesis-to-s3",
        old="sts:ExternalId: !Ref AWS::AccountId",
        new='sts:ExternalId: "111122223333"',
        after="  KinesisToS3:",
        at="- Effect: Allow",
        words="111122223333",
    ),
    Defect(
        check=Check.SUBJECT,
        subject="DefenderForCloud-OidcCiem",
        old="${CiemSubject}",
        new="somebody-else",
        after="  OidcCiem:",
        at="AssumeRolePolicyDocument",
        words="somebody-else",
        profile=EVERYTHING,
    ),
    Defect(
        check=Check.PERMISSION_MISSING,
        subject=SERVERS,
        old="                  - ec2:CreateSecurityGroup\n",
        new="",
        at="DefenderForServers:\n    Type",
        words="may not ec2:createsecuritygroup",
    ),
    Defect(
        check=Check.PERMISSION_MISSING,
        subject=CSPM,
        old="                  - payments:*\n",
        new="",
        at="CspmMonitorAws:\n    Type",
        words="does not deny payments:*",
    ),
    Defect(
        check=Check.PERMISSION_MISSING,
        subject="SensitiveDataDiscovery",
        old="policy/AmazonS3ReadOnlyAccess",
        new="policy/SecurityAudit",
        at="SensitiveDataDiscoveryRole:\n    Type",
        words="AmazonS3ReadOnlyAccess is not attached",
    ),
    Defect(
        check=Check.PERMISSION_UNKNOWN,
        subject=SERVERS,
        old="                  - ec2:CreateSecurityGroup\n",
        new="                  - ec2:CreateSecurityGroup\n                  - ec2:TerminateInstances\n",
        at="- Sid: OpenAndClosePorts",
        words="may ec2:terminateinstances",
    ),
    Defect(
        check=Check.PERMISSION_UNKNOWN,
        subject="DefenderForCloud-Ciem",
        old="policy/SecurityAudit",
        new="policy/AdministratorAccess",
        at="CiemDiscovery:\n    Type",
        words="AdministratorAccess",
        profile=EVERYTHING,
    ),
    Defect(
        check=Check.PERMISSION_UNKNOWN,
        subject=CSPM,
        old='"s3:GetBucketPolicy"',
        new='"s3:PutBucketPolicy"',
        words="s3:putbucketpolicy",
        file=LEAST,
        profile=BARE,
    ),
    Defect(
        check=Check.PERMISSION_UNBOUNDED,
        subject="DefenderForCloud-AgentlessScanner",
        old="                Condition:\n                  StringEquals:\n"
        "                    ec2:ResourceTag/CreatedBy: Microsoft Defender for Cloud\n",
        new="",
        at="- Sid: DeleteOwnSnapshots",
        words="ec2:deletesnapshot without the condition",
    ),
    Defect(
        check=Check.PERMISSION_UNBOUNDED,
        subject="DefenderForCloud-Containers-K8s",
        old="                Action: [firehose:*, s3:*, sqs:*]\n                Resource:\n",
        new='                Action: [firehose:*, s3:*, sqs:*]\n                Resource:\n                  - "*"\n',
        at="- Sid: KeepOwnPipeline",
        words="s3:* on everything",
    ),
    Defect(
        check=Check.ACCESS,
        subject=CSPM,
        old="policy/ReadOnlyAccess",
        new="policy/ViewOnlyAccess",
        at="CspmMonitorAws:\n    Type",
    ),
    Defect(
        check=Check.ACCESS,
        subject="MDCContainersImageAssessmentRole",
        old="policy/AmazonEC2ContainerRegistryPowerUser\n        - !Sub arn:${AWS::Partition}:iam::aws:"
        "policy/AmazonElasticContainerRegistryPublicPowerUser",
        new="policy/AmazonEC2ContainerRegistryReadOnly\n        - !Sub arn:${AWS::Partition}:iam::aws:"
        "policy/AmazonElasticContainerRegistryPublicReadOnly",
        at="ContainersImageAssessment:\n    Type",
        words="least privilege",
    ),
    Defect(
        check=Check.STATIC_KEY,
        subject="Key",
        old="Outputs:",
        new="  Key:\n    Type: AWS::IAM::AccessKey\n    Properties: {UserName: someone}\n\nOutputs:",
        at="Key:\n    Type",
    ),
    Defect(
        check=Check.OLD_RUNTIME,
        subject="Helper",
        old="Outputs:",
        new="  Helper:\n    Type: AWS::Lambda::Function\n    Properties: {Runtime: python3.8}\n\nOutputs:",
        at="Helper:\n    Type",
        words="python3.8",
    ),
    Defect(
        check=Check.TRUST_UNKNOWN,
        subject="DefenderForCloud-Containers-K8s",
        file=PORTAL,
        profile=FOUNDATIONAL,
        after='"RoleName": "DefenderForCloud-Containers-K8s",',
        old='"Statement": [',
        new='"Statement": [\n{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},',
        words="AWS * may assume it",  # a role that this profile does not ask for
    ),
    Defect(
        check=Check.TRUST_UNKNOWN,
        subject=CSPM,
        old="        Statement:\n          - Effect: Allow",
        new="        Statement:\n          - {Effect: Allow, NotPrincipal: {AWS: '1'}, Action: sts:AssumeRole}\n"
        "          - Effect: Allow",
        after="RoleName: CspmMonitorAws",
        words="AWS * may",
    ),
    Defect(
        check=Check.TRUST_UNKNOWN,
        subject="OIDC provider evil.example",
        old="Outputs:",
        new="  Evil:\n    Type: AWS::IAM::OIDCProvider\n"
        "    Properties: {Url: https://evil.example, ClientIdList: [a]}\n\nOutputs:",
        at="Evil:\n    Type",
    ),
    Defect(
        check=Check.TRUST_UNKNOWN,
        subject="AWS-MDCSetup-HostMgmtRole-x",
        old="Outputs:",
        new="  Setup:\n    Type: AWS::IAM::Role\n    Properties:\n      RoleName: AWS-MDCSetup-HostMgmtRole-x\n"
        "      AssumeRolePolicyDocument:\n        Statement:\n"
        "          - {Effect: Allow, Principal: '*', Action: sts:AssumeRole}\n\nOutputs:",
        words="AWS * may",
    ),
    Defect(
        check=Check.ROLE_UNKNOWN,
        subject="Backdoor",
        old='"Resources": {',
        new='"Conditions": {"Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}},\n"Resources": {\n'
        '"Door": {"Type": "AWS::IAM::Role", "Condition": "Here", "Properties": {"RoleName": "Backdoor"}},',
        file=PORTAL,
        profile=FOUNDATIONAL,
    ),
    Defect(
        check=Check.PERMISSION_UNKNOWN,
        subject=CSPM,
        old="        - !Sub arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess\n",
        new="        - !Sub arn:${AWS::Partition}:iam::aws:policy/ReadOnlyAccess\n"
        "        - !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/AdminLike\n",
        words="policy/AdminLike",
    ),
    Defect(
        check=Check.TRANSFORM,
        subject="Nested",
        old="Outputs:",
        new="  Nested:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: x}\n\nOutputs:",
        words="nested stacks",
    ),
]


def line_of(text: str, at: str, after: str) -> int:
    """The line on which `at` stands, the first time behind `after`."""
    return text.count("\n", 0, text.index(at, text.index(after) if after else 0)) + 1


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda each: f"{each.check} {each.words}".strip())
def test_each_planted_defect_is_named_with_its_line(defect: Defect) -> None:
    whole = defect.file.read_text(encoding="utf-8")
    start = whole.index(defect.after) if defect.after else 0
    assert defect.old in whole[start:]
    spoilt = whole[:start] + whole[start:].replace(defect.old, defect.new, 1)
    before = check_template(whole.encode(), OWN.read_bytes(), defect.profile)
    assert {(each.check, each.subject) for each in before.findings} <= {THREATS}
    report = check_template(spoilt.encode(), OWN.read_bytes(), defect.profile)
    named = [each for each in report.findings if (each.check, each.subject) == (defect.check, defect.subject)]
    assert any(defect.words in each.message for each in named), report.findings
    if defect.at is not None:
        lines = {each.place.line for each in named if each.place and defect.words in each.message}
        assert line_of(spoilt, defect.at, defect.after) in lines, (lines, report.findings)


def test_every_check_has_a_planted_defect() -> None:
    assert {defect.check for defect in DEFECTS} == set(Check)


@pytest.mark.parametrize(("file", "access"), [(PORTAL, Access.DEFAULT), (LEAST, Access.LEAST_PRIVILEGE)], ids=str)
def test_the_portal_s_own_template_has_no_findings_in_either_access(file: Path, access: Access) -> None:
    for profile in (FOUNDATIONAL, CSPM_ONLY):
        report = check_template(file.read_bytes(), OWN.read_bytes(), profile, TENANT)
        assert (report.access, report.findings) == (access, ())


def test_another_tenant_is_told_of_every_role_that_admits_it() -> None:
    report = check_template(PORTAL.read_bytes(), OWN.read_bytes(), FULL, OTHER_TENANT)
    wrong = {each.subject for each in report.findings if each.check is Check.SESSION_NAME_WRONG}
    assert len(wrong) == len(FULL.roles()) - 2  # two belong to services of AWS
    assert {each.check for each in report.findings} == {Check.SESSION_NAME_WRONG, Check.EXTERNAL_ID}


def test_an_external_id_that_is_not_the_profile_s_is_told() -> None:
    report = check_template(PORTAL.read_bytes(), OWN.read_bytes(), FULL, TENANT)
    assert [(each.check, each.subject) for each in report.findings] == [
        (Check.EXTERNAL_ID, "DefenderForCloud-DataCollection")
    ]


def test_a_profile_with_ciem_needs_its_provider_in_our_own_tenant() -> None:
    assert EVERYTHING.cspm is not None
    assert isinstance(EVERYTHING.cspm.ciem, Ciem)
    report = check_template(PORTAL.read_bytes(), OWN.read_bytes(), EVERYTHING, TENANT)
    missing = {each.subject for each in report.findings if each.check in {Check.ROLE_MISSING, Check.PROVIDER_MISSING}}
    assert {"DefenderForCloud-Ciem", "DefenderForCloud-OidcCiem", f"OIDC provider sts.windows.net/{TENANT}/"} <= missing


DOUBLING = "Resources:\n" + "".join(
    f"  R{n}: {{Type: AWS::IAM::Role, Properties: {{RoleName: !Sub '${{R{n + 1}}}${{R{n + 1}}}'}}}}\n"
    for n in range(60)
)


def chain(length: int) -> str:
    """Roles of which each is named after the next."""
    roles = (f"  R{n}: {{Type: AWS::IAM::Role, Properties: {{RoleName: !Ref R{n + 1}}}}}\n" for n in range(length))
    return "Resources:\n" + "".join(roles)


CIRCLE = (
    "Conditions: {A: !Not [!Condition B], B: !Condition A}\n"
    "Resources: {R: {Type: AWS::IAM::Role, Condition: A, Properties: {RoleName: !Ref R}}}\n"
)
HOSTILE = {
    "alias bomb": (b"Resources:\n  R: {Type: A}\n" + BOMB, "anchors and aliases"),
    "python object": (b"Resources: {R: !!python/object/apply:os.system [true]}", "tags are not supported"),
    "huge": (b"Resources: {R: {Type: A}}\n#" + b"x" * 1024 * 1024, "larger than 1024 KiB, which no template is"),
    "deep": (b"Resources: " + b"[" * 100_000, "nested deeper than 40 levels"),
    "no template": (b"version: 1\n", "it has no Resources"),
    "no type": (b"Resources:\n  R: 1\n", "R: a resource without a Type"),
    "a key twice": (b"Resources:\n  R: {Type: A}\n  R: {Type: B}\n", "Resources.R: given twice"),
    "a tag on a key": (b"Resources: {!Ref R: {Type: A}}", "a key has to be text"),
    "doubling names": (DOUBLING.encode(), "its functions"),
    "endless chain": (chain(5000).encode(), "its functions have no end"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_are_refused_quickly(name: str) -> None:
    content, said = HOSTILE[name]
    with own_time() as took, pytest.raises(UnreadableError, match=said):
        check_template(content, OWN.read_bytes(), FULL)
    assert took.seconds < 5


@pytest.mark.parametrize("content", [chain(300), CIRCLE], ids=["chain", "circle"])
def test_references_without_end_end(content: str) -> None:
    report = check_template(content.encode(), OWN.read_bytes(), FOUNDATIONAL)
    assert CSPM in {each.subject for each in report.findings}


def test_build_writes_the_committed_template(shell: Shell, tmp_path: Path) -> None:
    said = shell.run("template", "build", "--output", "made.yaml")
    assert (said.code, (tmp_path / "made.yaml").read_bytes()) == (0, OWN.read_bytes())
    assert shell.run("template", "build").out.encode() == OWN.read_bytes()
    assert shell.run("template", "build", "--json").document["template"].encode() == OWN.read_bytes()
    assert shell.run("template", "build", "--output", "no/such/folder").code == 2


def test_lint_exits_1_on_findings_2_on_wrong_usage(shell: Shell, tmp_path: Path) -> None:
    fine = shell.run("template", "lint", str(OWN), "--profile", "recommended")
    assert (fine.code, fine.out) == (0, f"{OWN}: no findings for profile recommended, default access\n")
    found = shell.run("template", "lint", str(OWN), "--profile", "maximum")
    assert found.code == 1
    assert found.out.startswith(f"{OWN}: role-missing: DefenderForCloud-DataThreatProtectionDB: missing")
    (tmp_path / "bomb.yaml").write_bytes(BOMB)
    for wrong in (
        (str(OWN), "--profile", "nonesuch"),
        (str(OWN), "--profile", "recommended", "--tenant", "ours"),
        (str(OWN),),
        ("nonesuch.yaml", "--profile", "recommended"),
        ("bomb.yaml", "--profile", "recommended"),
    ):
        assert shell.run("template", "lint", *wrong).code == 2, wrong
    assert "bomb.yaml:1:4: anchors" in shell.run("template", "lint", "bomb.yaml", "--profile", "maximum").err


def test_lint_as_json_has_the_line_and_takes_tenant_and_profile_of_the_policy(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "spoilt.yaml").write_text(OWN.read_text().replace("RoleName: CspmMonitorAws", "RoleName: Cspm"))
    policy = FOLDER / "policies" / "full.yaml"
    arguments = ("template", "lint", "spoilt.yaml", "--policy", str(policy), "--profile", "recommended", "--json")
    said = shell.run(*arguments)
    assert said.code == 1
    findings = {(each["check"], each["subject"]): each["line"] for each in said.document["findings"]}
    assert findings["role-unknown", "Cspm"] == line_of(OWN.read_text(), "CspmMonitorAws:\n    Type", "")
    assert findings["role-missing", CSPM] is None
    assert said.document["ok"] is False
    portal = shell.run("template", "lint", str(PORTAL), "--policy", str(policy), "--profile", "recommended", "--json")
    assert "session-name-wrong" in {each["check"] for each in portal.document["findings"]}
