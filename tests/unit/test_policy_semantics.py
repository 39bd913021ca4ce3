"""Every rule about what a policy says, each with its place and its words, and nothing else beside it."""

from __future__ import annotations

import pytest

from shared.adapters.policy.problems import check_policy

HEAD = """\
version: 1
organization: o-exampleorg1
tenant: 00000000-0000-4000-8000-0000000000f1
target: {subscription: 00000000-0000-4000-8000-0000000000d1, resource_group: rg, location: LOCATION}
"""
ONE_RULE = "rules:\n  - {match: {accounts: ['012345678901']}, profile: own}\n"
PARENT = "organization_connector: {name: org, management_account: '111111111111', stack_set_name: Defender}\n"
PLACE = "{subscription: 00000000-0000-4000-8000-0000000000d2, resource_group: other, location: northeurope}"
RDS = "billed; changes RDS parameter groups; its role is in templates of the portal only"
PAID = "standards need a paid plan; this profile has none"
SOVEREIGN = "connectors for AWS and GCP are not available in Azure Government or Azure in China"
MEMBER = (
    "in mode member every account takes the Organization connector's {}; "
    "exclude these accounts there, or use mode standalone"
)
ONLY_IDS = (
    "in mode native Defender itself makes members for these accounts: an Organization connector excludes ids only; "
    "add theirs to it"
)
ONE_OWNER = "a governance rule has an owner or an owner_tag"


def found(rest: str, *, location: str = "westeurope") -> list[str]:
    """The problems of the head and `rest`, whose first line is line 5."""
    checked = check_policy((HEAD.replace("LOCATION", location) + rest).encode())
    assert (checked.policy is None) == bool(checked.errors)
    return [
        f"{each.line}:{each.column} {'error' if each.is_error else 'warning'}: {each.message}"
        for each in checked.problems
    ]


def governed(*rules: str, plans: str = "[defender_cspm]") -> str:
    listed = "".join(f"      - {{severities: [High], {rule}}}\n" for rule in rules)
    return f"{ONE_RULE}profiles:\n  own:\n    plans: {plans}\n    governance:\n{listed}"


@pytest.mark.parametrize(
    ("rest", "problems"),
    [
        # receivers of notices
        (
            "notifications:\n  - {kind: teams, setting: ROLLCALL_NOTIFY_A}\n"
            "  - {kind: webhook, setting: ROLLCALL_NOTIFY_A}\n",
            ["7:30 error: ROLLCALL_NOTIFY_A is given twice"],
        ),
        (
            "notifications:\n  - {kind: webhook, setting: ROLLCALL_NOTIFY_A}\n"
            "  - {kind: teams, setting: ROLLCALL_NOTIFY_A_KEY}\n",
            ["7:28 error: ROLLCALL_NOTIFY_A_KEY is the key of another webhook"],
        ),
        ("notifications:\n  - {kind: teams, setting: ROLLCALL_NOTIFY_A_KEY}\n", []),
        # names
        ("default_profile: gold\n", ["5:18 error: profile 'gold' is not among foundational, maximum, recommended"]),
        (ONE_RULE, ["6:52 error: profile 'own' is not among foundational, maximum, recommended"]),
        (
            f"{ONE_RULE}profiles:\n  own: {{extends: gold}}\n",
            ["8:18 error: profile 'gold' is not among foundational, maximum, own, recommended"],
        ),
        (
            "rules:\n  - {match: {names: [a]}, profile: recommended, target: far}\n",
            ["6:57 error: target 'far' is not among the section `targets`, which is not there"],
        ),
        (
            f"targets: {{near: {PLACE}}}\nrules:\n"
            "  - {match: {names: [a]}, profile: recommended, target: near}\n"
            "  - {match: {names: [b]}, profile: recommended, target: far}\n",
            ["8:57 error: target 'far' is not among near"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{extends: other}}\n  other: {{extends: own}}\n",
            ["8:18 error: profile 'own' extends itself", "9:20 error: profile 'other' extends itself"],
        ),
        ("profiles:\n  foundational: {extends: foundational, scan_interval_hours: 12}\n", []),
        # modes
        ("mode: member\n", ["5:7 error: mode member needs the section `organization_connector`"]),
        ("mode: native\n", ["5:7 error: mode native needs the section `organization_connector`"]),
        (PARENT, ["5:25 warning: has no meaning in mode standalone"]),
        (f"mode: native\n{PARENT}", []),
        (
            f"mode: member\n{PARENT}rules:\n  - {{match: {{names: [a]}}, profile: recommended}}\n",
            [f"8:36 error: {MEMBER.format('profile')}"],
        ),
        (f"mode: member\n{PARENT}rules:\n  - {{match: {{names: [a]}}, profile: foundational}}\n", []),
        (
            f"mode: member\n{PARENT}targets: {{far: {PLACE}}}\n"
            "rules:\n  - {match: {names: [a]}, profile: foundational, target: far}\n",
            [f"9:58 error: {MEMBER.format('target')}"],
        ),
        (
            f"mode: member\n{PARENT}exclusions: {{ou_paths: [/Sandbox], names: [], tags: {{a: b}}, accounts: []}}\n",
            [],
        ),
        (
            f"mode: native\n{PARENT}exclusions: {{names: [a], accounts: ['012345678901']}}\n",
            [f"7:21 warning: {ONLY_IDS}"],
        ),
        ("exclusions: {ou_paths: [/Sandbox], names: [a], tags: {a: b}}\n", []),
        (f"mode: both\n{PARENT}", ["5:7 error: mode: Input should be 'standalone', 'member' or 'native'"]),
        # places
        (
            f"targets: {{far: {PLACE.replace('northeurope', 'China East 2')}}}\n"
            "rules:\n  - {match: {names: [a]}, profile: recommended, target: far}\n",
            [f"5:102 error: {SOVEREIGN}"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{regions: [eu-west-1, us-gov-west-1, cn-north-1, us-iso-east-1]}}\n",
            [
                f"8:{column} error: connectors reach no region of that partition: {region}"
                for column, region in ((30, "us-gov-west-1"), (45, "cn-north-1"), (57, "us-iso-east-1"))
            ],
        ),
        # plans
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: [defender_cspm, storage]}}\n",
            [
                "8:32 error: Defender for Storage does not exist for AWS or GCP; S3 and Cloud Storage are covered by "
                "sensitive-data discovery, which is part of defender_cspm (sensitive_data)"
            ],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: {{storage: true}}}}\n",
            [
                "8:17 error: Defender for Storage does not exist for AWS or GCP; S3 and Cloud Storage are covered by "
                "sensitive-data discovery, which is part of defender_cspm (sensitive_data)"
            ],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: [gold]}}\n",
            ["8:17 error: plan 'gold' is not among foundational_cspm, defender_cspm, servers, containers, databases"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: {{defender_cspm: {{ciem: true}}}}}}\n",
            ["8:39 error: CIEM needs the section `ciem`, with the application that an administrator made"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: {{databases: {{rds_threat_protection: true}}}}}}\n",
            [f"8:52 warning: {RDS}"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: {{containers: {{audit_logs: false}}}}}}\n",
            ["8:42 warning: without audit logs there is no control-plane threat detection"],
        ),
        (
            f"ciem: {{application: a, subject: 00000000-0000-4000-8000-0000000000c1}}\n{ONE_RULE}"
            "profiles:\n  own: {plans: {defender_cspm: {ciem: true}}}\n",
            [],
        ),
        (f"{ONE_RULE}profiles:\n  own: {{gold: [a]}}\n", ["8:9 error: profiles.own.gold: an unknown word"]),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: {{servers: {{gold: [a]}}}}}}\n",
            ["8:27 error: profiles.own.plans.servers.gold: an unknown word"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{plans: {{gold: true}}}}\n",
            ["8:17 error: profiles.own.plans.gold: an unknown word"],
        ),
        # what follows a connector
        (f"{ONE_RULE}profiles:\n  own: {{standards: [CIS]}}\n", [f"8:20 error: {PAID}"]),
        (f"{ONE_RULE}profiles:\n  own: {{standards: [CIS], plans: [servers]}}\n", []),
        (f"{ONE_RULE}profiles:\n  own: {{standards: [CIS], extends: recommended}}\n", []),
        (
            f"{ONE_RULE}profiles:\n  own: {{standards: [CIS], plans: {{servers: false}}, extends: base}}\n"
            "  base: {plans: [servers]}\n",
            [f"8:20 error: {PAID}"],
        ),
        (
            governed("name: a, priority: 1, owner: a@example.com", plans="[servers]"),
            ["11:7 error: governance rules need defender_cspm"],
        ),
        (
            governed("name: a, priority: 1, owner: a@example.com", "name: b, priority: 1, owner_tag: team"),
            ["11:49 error: priority 1 is given twice", "12:49 error: priority 1 is given twice"],
        ),
        (
            governed("name: a, priority: 1, owner: a@example.com", "name: a, priority: 2, owner_tag: team"),
            ["11:36 error: name 'a' is given twice", "12:36 error: name 'a' is given twice"],
        ),
        (governed("name: a, priority: 1"), [f"11:9 error: {ONE_OWNER}"]),
        (governed("name: a, priority: 1, owner: a@example.com, owner_tag: team"), [f"11:9 error: {ONE_OWNER}"]),
        (
            f"{ONE_RULE}profiles:\n  own: {{scan_interval_hours: 5}}\n",
            ["8:30 warning: the portal offers 4, 6, 12 and 24 hours only"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{scan_interval_hours: 25}}\n",
            ["8:30 error: profiles.own.scan_interval_hours: Input should be less than or equal to 24"],
        ),
        # rules
        ("rules:\n  - {match: {}, profile: recommended}\n", ["6:13 error: matches no account: it asks for nothing"]),
        (
            "rules:\n  - {match: {tags: {}, names: []}, profile: recommended}\n",
            ["6:13 error: matches no account: it asks for nothing"],
        ),
        (
            "rules:\n  - {match: {names: [a]}, profile: recommended}\n"
            "  - {match: {names: [b]}, profile: recommended}\n  - {match: {names: [a]}, profile: foundational}\n",
            ["8:13 warning: never reached: rule 1 matches the same accounts"],
        ),
        (
            "rules:\n  - {match: {accounts: ['012345678901']}, profile: recommended}\n"
            "exclusions: {accounts: ['012345678901']}\n",
            ["6:25 warning: 012345678901 is excluded, which goes before"],
        ),
        (
            "rules:\n  - {match: {}, profile: recommended}\n  - {match: {}, profile: foundational}\n",
            [f"{line}:13 error: matches no account: it asks for nothing" for line in (6, 7)],
        ),
        # what is billed, deletes, or is never used
        ("default_profile: maximum\n", [f"5:18 warning: maximum has threat protection for RDS: {RDS}"]),
        (
            "rules:\n  - {match: {names: [a]}, profile: maximum}\n",
            [f"6:36 warning: maximum has threat protection for RDS: {RDS}"],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{extends: maximum}}\n",
            [f"8:18 warning: maximum has threat protection for RDS: {RDS}"],
        ),
        (f"{ONE_RULE}profiles:\n  own: {{extends: maximum, plans: {{databases: false}}}}\n", []),
        (
            "default_profile: maximum\nprofiles:\n"
            "  maximum: {extends: maximum, plans: {databases: {rds_threat_protection: false}}}\n",
            [],
        ),
        (
            f"{ONE_RULE}profiles:\n  own: {{extends: maximum}}\n  maximum: {{plans: [servers]}}\n",
            [],
        ),
        (
            "deletions: {excluded_accounts: true, departed_accounts: true, orphaned_machines: true}\n",
            [
                "5:32 warning: excluded accounts: deletes without asking",
                "5:57 warning: departed accounts: deletes without asking",
                "5:82 warning: orphaned machines: deletes without asking",
            ],
        ),
        (
            "sweep: {instance_regions: [eu-west-1, cn-north-1]}\ndeletions: {orphaned_machines: true}\n",
            [
                "5:27 warning: an instance in any other region counts as gone, and its machine may be deleted",
                "5:39 error: connectors reach no region of that partition: cn-north-1",
                "6:32 warning: orphaned machines: deletes without asking",
            ],
        ),
        ("sweep: {instance_regions: [eu-west-1]}\n", []),
        ("profiles:\n  own: {extends: recommended}\n", ["6:8 warning: profile 'own' is not used"]),
        (
            f"profiles:\n  own: {{extends: base}}\n  base: {{plans: [servers]}}\n{ONE_RULE}",
            [],
        ),
        (f"targets: {{far: {PLACE}}}\n", ["5:16 warning: target 'far' is not used"]),
    ],
)
def test_a_rule_says_its_part_and_no_other_does(rest: str, problems: list[str]) -> None:
    assert found(rest) == problems


@pytest.mark.parametrize("location", ["usgovvirginia", "USGov Arizona", "usdodeast", "chinanorth3"])
def test_sovereign_clouds_are_refused(location: str) -> None:
    assert found("", location=location) == [f"4:92 error: {SOVEREIGN}"]


@pytest.mark.parametrize(
    "rest",
    ["mode: [member]\n", "profiles: [a]\n", "rules: {a: b}\n", "rules: [1, [2]]\n", "targets: 1\n", "deletions: yes\n"]
    + ["default_profile: {a: b}\n", "rules:\n  - {match: [a], profile: [b], target: {}}\n", "exclusions: []\n"]
    + ["profiles: {a: {plans: {servers: [x]}, governance: {a: b}, standards: 1, extends: [b]}}\n"]
    + ["profiles: {a: {governance: [{owner: a}, {owner: a}]}}\n", "targets: {a: {location: 1}}\n"]
    + ["profiles: {a: {plans: [{a: b}, [c]], governance: [1]}}\n", "organization_connector: 1\nmode: member\n"]
    + ["sweep: {instance_regions: 1}\n", "sweep: [a]\n"],
)
def test_rules_about_what_is_said_survive_any_form(rest: str) -> None:
    assert any(" error: " in problem for problem in found(rest))


@pytest.mark.parametrize("word", ["yes", "on", "'true'", "1"])
def test_only_true_switches_something_on(word: str) -> None:
    assert found(f"deletions: {{orphaned_machines: {word}}}\n") == [
        "5:32 error: deletions.orphaned_machines: has to be true or false"
    ]
    assert found(f"{ONE_RULE}profiles:\n  own: {{plans: {{servers: {word}}}}}\n") == [
        "8:26 error: profiles.own.plans.servers: has to be true, false or a mapping"
    ]
