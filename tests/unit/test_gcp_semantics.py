"""Every rule about what the policy says of projects, each with its place and words, and nothing else beside it."""

from __future__ import annotations

import re

import pytest

from shared.adapters.policy.problems import check_policy
from tests.fixtures.policy_page import PAGE
from tests.unit.test_policy_semantics import HEAD, ONE_RULE, PLACE

PROJECTS = 'gcp:\n  organization: "123456789012"\n'
MEMBER = (
    f'{PROJECTS}  management_project: {{number: "210987654321", id: mdc-mgmt-proj-1}}\n'
    "  organization_connector: {name: projects}\n"
)
ALONE = f"{PROJECTS}  mode: standalone\n"
ONE_TARGET = (
    "in mode member every project stands in the Organization connector's target; "
    "exclude these projects there, or use mode standalone"
)
ONE_PROFILE = (
    "in mode member Defender may give this project the Organization connector's plans when that is edited; "
    "whether it does is documented for AWS only"
)
NOWHERE = "the section `targets`, which is not there"
PARENT = "organization_connector: {name: Projects, management_account: '111111111111', stack_set_name: Defender}\n"
OTHER_CLOUD = "matches nothing: projects have rules and exclusions of their own, in `gcp`"


def found(rest: str) -> list[str]:
    """The problems of the head and `rest`, whose first line is line 5."""
    checked = check_policy((HEAD.replace("LOCATION", "westeurope") + rest).encode())
    assert (checked.policy is None) == bool(checked.errors)
    return [
        f"{each.line}:{each.column} {'error' if each.is_error else 'warning'}: {each.message}"
        for each in checked.problems
    ]


def without(what: str) -> str:
    return f"warning: GCP has {what}: without effect for projects with this profile"


@pytest.mark.parametrize(
    ("rest", "problems"),
    [
        (MEMBER, []),
        (ALONE, []),
        # modes
        (
            PROJECTS,
            [
                f"5:1 error: mode member needs the section `{word}`"
                for word in ("management_project", "organization_connector")
            ],
        ),
        (
            MEMBER.replace("  organization_connector: {name: projects}\n", "  mode: member\n"),
            ["8:3 error: mode member needs the section `organization_connector`"],
        ),
        (
            MEMBER + "  mode: standalone\n",
            ["7:23 warning: has no meaning in mode standalone", "8:27 warning: has no meaning in mode standalone"],
        ),
        (f"{PROJECTS}  mode: native\n", ["7:9 error: gcp.mode: Input should be 'member' or 'standalone'"]),
        (
            f"mode: member\n{PARENT}{MEMBER}",
            ["10:34 error: projects is the name of AWS's Organization connector already"],
        ),
        # forms
        ("gcp: {mode: standalone}\n", ["5:1 error: gcp.organization: is missing"]),
        (ALONE.replace('"123456789012"', "o-exampleorg1"), None),
        (ALONE.replace('"123456789012"', "1234"), ["6:17 error: gcp.organization: has to be text"]),
        (f"{ALONE}  rules:\n    - {{match: {{provider: gcp}}, profile: foundational}}\n", None),
        (f"{ALONE}  exclusions: {{accounts: [my-project]}}\n", None),
        # names
        (
            f"{ALONE}  default_profile: gold\n",
            ["8:20 error: profile 'gold' is not among foundational, maximum, recommended"],
        ),
        (
            f"{ALONE}  rules:\n    - {{match: {{names: [a]}}, profile: gold, target: far}}\n",
            [
                "9:38 error: profile 'gold' is not among foundational, maximum, recommended",
                f"9:52 error: target 'far' is not among {NOWHERE}",
            ],
        ),
        (f"{ALONE}  target: far\n", [f"8:11 error: target 'far' is not among {NOWHERE}"]),
        (f"targets: {{far: {PLACE}}}\n{ALONE}  target: far\n", []),
        (f"targets: {{far: {PLACE}}}\n{ALONE}", ["5:16 warning: target 'far' is not used"]),
        (f"profiles: {{own: {{plans: [servers]}}}}\n{ALONE}  default_profile: own\n", []),
        # rules
        (
            f"targets: {{far: {PLACE}}}\n{MEMBER}  rules:\n"
            "    - {match: {names: [a]}, profile: recommended, target: far}\n",
            [f"11:38 warning: {ONE_PROFILE}", f"11:59 error: {ONE_TARGET}"],
        ),
        (
            f"targets: {{far: {PLACE}}}\n{MEMBER}  target: far\n  rules:\n"
            "    - {match: {names: [a]}, profile: foundational, target: far}\n",
            [],
        ),
        (
            f"{ALONE}  rules:\n    - {{match: {{}}, profile: maximum}}\n",
            ["9:15 error: matches no project: it asks for nothing"],
        ),
        (
            f"{ALONE}  rules:\n"
            + 2 * "    - {match: {tags: {a: b}}, profile: recommended}\n"
            + "    - {match: {accounts: ['12']}, profile: recommended}\n  exclusions: {accounts: ['12']}\n",
            [
                "10:15 warning: never reached: rule 1 matches the same projects",
                "11:27 warning: 12 is excluded, which goes before",
            ],
        ),
        (
            "rules:\n  - {match: {provider: gcp, names: [a]}, profile: recommended}\n"
            f"exclusions: {{provider: gcp, names: [b]}}\n{ALONE}",
            [f"6:24 warning: {OTHER_CLOUD}", f"7:24 warning: {OTHER_CLOUD}"],
        ),
        # what GCP does not have
        (
            f"profiles:\n  own:\n    regions: [eu-west-1]\n    plans:\n"
            "      defender_cspm: {database_posture: true}\n"
            "      containers: {audit_retention_days: 90, external_id: abc}\n"
            "      databases: {rds_threat_protection: false, database_posture: true}\n"
            f"{ALONE}  default_profile: own\n",
            [
                f"7:14 {without('no regions in a connector')}",
                f"9:41 {without('no database_posture of defender_cspm')}",
                f"10:42 {without('no audit_retention_days of containers')}",
                f"10:59 {without('no external_id of containers')}",
                f"11:67 {without('no database_posture of databases')}",
            ],
        ),
        (
            f"profiles:\n  base: {{regions: [eu-west-1]}}\n  own: {{extends: base}}\n{ALONE}"
            "  rules: [{match: {names: [a]}, profile: own}]\n",
            [f"6:19 {without('no regions in a connector')}"],
        ),
        (f"{ONE_RULE}profiles:\n  own: {{regions: [eu-west-1]}}\n{ALONE}", []),
        (
            "profiles:\n  own: {plans: [servers], standards: [CIS GCP 3.0, AWS CSPM]}\n"
            f"{ALONE}  default_profile: own\n",
            ["6:52 warning: 'AWS CSPM' is AWS's, and projects have this profile, too"],
        ),
        (f"{ALONE}  default_profile: maximum\n", []),
        # CIEM
        (
            f"profiles:\n  own: {{plans: {{defender_cspm: {{ciem: true}}}}}}\n{ALONE}  default_profile: own\n",
            ["6:39 warning: projects get CIEM only with the section `ciem` in `gcp`"],
        ),
        (
            f"profiles:\n  own: {{plans: {{defender_cspm: {{ciem: true}}}}}}\n{ALONE}  default_profile: own\n"
            "  ciem: {application: a}\n",
            [],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: {{defender_cspm: {{ciem: true}}}}}}\n{ALONE}  default_profile: own\n"
            "  ciem: {application: a}\n",
            ["8:39 error: CIEM needs the section `ciem`, with the application that an administrator made"],
        ),
    ],
)
def test_a_mistake_about_projects_is_told_with_its_place(rest: str, problems: list[str] | None) -> None:
    said = found(rest)
    if problems is None:  # the form: pydantic's words, so the place alone
        assert [one for one in said if "error: gcp." in one]
    else:
        assert said == problems


@pytest.mark.parametrize("plan", ["storage", "defender_for_storage", "malware_scanning"])
def test_a_plan_for_storage_is_refused_for_projects_with_the_reason(plan: str) -> None:
    [said] = found(f"profiles:\n  own: {{plans: [servers, {plan}]}}\n{ALONE}  default_profile: own\n")
    assert "error: Defender for Storage does not exist for AWS or GCP; S3 and Cloud Storage are covered" in said


@pytest.mark.parametrize("location", ["usgovvirginia", "China East 2", "usdodcentral"])
def test_a_target_of_projects_in_a_sovereign_cloud_is_refused(location: str) -> None:
    place = PLACE.replace("northeurope", location)
    [said] = found(f"targets: {{far: {place}}}\n{ALONE}  target: far\n")
    assert said.endswith("error: connectors for AWS and GCP are not available in Azure Government or Azure in China")


def test_the_example_of_the_reference_is_part_of_a_policy() -> None:
    [example] = re.findall(r"^```yaml\n(gcp:\n.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found(f"targets: {{projects: {PLACE}}}\n{example}") == []
