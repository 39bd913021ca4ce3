"""The questions that people ask of what Defender for Cloud and CloudTrail know, and how one is narrowed down.

The text of each is a file, `docs/queries/NAME.kql`, which people open in a portal as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MARK = "// Narrow down here"
"""How the line of a query begins below which conditions may stand."""
_PLAIN = re.compile(r"[a-z0-9-]{1,64}")
_LEARN = "https://learn.microsoft.com/azure"
_DEFENDER = f"{_LEARN}/defender-for-cloud"
_TABLES = f"{_LEARN}/azure-monitor/reference/tables"


class Store(StrEnum):
    """Who answers."""

    GRAPH = "Resource Graph"
    LOGS = "Log Analytics"


class Narrowing(StrEnum):
    """What an answer may be narrowed down by; the names of the options."""

    ACCOUNT = "account"
    PROVIDER = "provider"
    SEVERITY = "severity"


class Cloud(StrEnum):
    """The clouds that Defender for Cloud looks at; `account` is a subscription's id in Azure."""

    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


class Grade(StrEnum):
    """How grave Defender calls something."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question: `rows` are those of docs/coverage.md that it is for.

    `columns` are what people read, `more` what the answer has besides, for machines; `lists` are those of them that the
    store writes as a list in JSON. `narrowed` has the condition for each narrowing, with `{}` for its value. `empty`
    says what an answer without rows may mean.
    """

    name: str
    asks: str
    rows: tuple[int, ...]
    link: str
    columns: tuple[str, ...]
    more: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()
    narrowed: Mapping[Narrowing, str] = field(default_factory=dict)
    empty: str = ""
    store: Store = Store.GRAPH


_OF_ACCOUNTS = {Narrowing.ACCOUNT: "account == '{}'", Narrowing.PROVIDER: "cloud == '{}'"}
_GRADED = _OF_ACCOUNTS | {Narrowing.SEVERITY: "severity == '{}'"}
_OF_TRAILS = {Narrowing.ACCOUNT: "RecipientAccountId == '{}'"}
_CSPM = "none is open, or no subscription has Defender CSPM"

QUESTIONS = (
    Question(
        name="discovered-resources",
        asks="which resources has Defender discovered, by type and account?",
        rows=(3, 88),
        link=f"{_DEFENDER}/asset-inventory",
        columns=("cloud", "account", "resource_type", "resources"),
        more=("connector",),
        narrowed=_OF_ACCOUNTS,
        empty="nothing is discovered yet: it takes 2 to 4 hours",
    ),
    Question(
        name="inventory",
        asks="what does Defender say of each discovered resource?",
        rows=(66,),
        link=f"{_DEFENDER}/asset-inventory",
        columns=("cloud", "account", "resource", "unhealthy", "grave", "healthy"),
        more=("connector",),
        narrowed=_OF_ACCOUNTS,
        empty="nothing is discovered yet: it takes 2 to 4 hours",
    ),
    Question(
        name="recommendations",
        asks="which recommendations are open, by severity and cloud?",
        rows=(66, 90),
        link=f"{_DEFENDER}/review-security-recommendations",
        columns=("severity", "cloud", "recommendation", "accounts", "resources"),
        more=("key",),
        narrowed=_GRADED,
        empty="none is open, or no standard is assigned: see assigned-standards",
    ),
    Question(
        name="attack-paths",
        asks="which attack paths are there, and which cross clouds?",
        rows=(91,),
        link=f"{_DEFENDER}/attack-path-api",
        columns=("clouds", "risk", "path", "azure", "aws", "gcp", "accounts"),
        more=("id",),
        lists=frozenset({"accounts"}),
        narrowed={
            Narrowing.ACCOUNT: "accounts has '{}'",
            Narrowing.PROVIDER: "{} > 0",
            Narrowing.SEVERITY: "risk == '{}'",
        },
        empty=_CSPM,
    ),
    Question(
        name="compliance",
        asks="how far is each compliance standard fulfilled?",
        rows=(92,),
        link=f"{_DEFENDER}/regulatory-compliance-dashboard",
        columns=("standard", "subscription", "state", "passed", "failed", "skipped", "unsupported"),
        more=("id",),
        empty="no standard is assigned, or its results are not there yet: 2 to 4 hours",
    ),
    Question(
        name="assigned-standards",
        asks="which standards are assigned to how many accounts?",
        rows=(92,),
        link=f"{_DEFENDER}/update-regulatory-compliance-packages",
        columns=("cloud", "standard", "accounts"),
        narrowed=_OF_ACCOUNTS,
        empty="none is assigned: connectors without a standard have no recommendations",
    ),
    Question(
        name="vulnerabilities",
        asks="how many vulnerabilities are open, by severity and account?",
        rows=(93,),
        link=f"{_DEFENDER}/subassessment-rest-api",
        columns=("severity", "cloud", "account", "findings", "resources"),
        narrowed=_GRADED,
        empty="none is open, or no plan scans: Defender CSPM, Servers P2, Containers",
    ),
    Question(
        name="machines-without-arc",
        asks="where are EC2 instances that Azure Arc does not know?",
        rows=(35,),
        link=f"{_DEFENDER}/quickstart-onboard-aws",
        columns=("account", "without_arc", "with_arc"),
        more=("connector",),
        narrowed={Narrowing.ACCOUNT: "account == '{}'"},
        empty="no instance is assessed: no connector has Servers, or none is discovered yet",
    ),
    Question(
        name="tile-discovered",
        asks="tile: resources that are discovered, by cloud and type",
        rows=(98,),
        link=f"{_DEFENDER}/asset-inventory",
        columns=("source", "resource_type", "resources"),
    ),
    Question(
        name="tile-health",
        asks="tile: how healthy are the connectors?",
        rows=(98,),
        link=f"{_DEFENDER}/troubleshoot-connectors",
        columns=("health", "connectors"),
    ),
    Question(
        name="tile-recommendations",
        asks="tile: open recommendations, by severity and cloud",
        rows=(98,),
        link=f"{_DEFENDER}/review-security-recommendations",
        columns=("source", "severity", "findings"),
    ),
    Question(
        name="tile-attack-paths",
        asks="tile: attack paths and how often each is there",
        rows=(98,),
        link=f"{_DEFENDER}/attack-path-api",
        columns=("path", "risk", "paths"),
        empty=_CSPM,
    ),
    Question(
        name="aws-iam-changes",
        asks="who changed identities, policies or credentials in AWS?",
        rows=(95,),
        link=f"{_TABLES}/awscloudtrail",
        columns=("account", "who", "changes", "grave", "began", "ended", "events", "addresses"),
        narrowed=_OF_TRAILS,
        store=Store.LOGS,
    ),
    Question(
        name="dual-cloud-identities",
        asks="who acts in AWS and signs in to Entra, from where?",
        rows=(95,),
        link=f"{_TABLES}/signinlogs",
        columns=(
            *("identity", "accounts", "calls", "changes", "refused", "sign_ins", "failed", "risky", "strange"),
            *("only_in_aws", "last_in_aws", "last_in_entra"),
        ),
        narrowed=_OF_TRAILS,
        store=Store.LOGS,
    ),
    Question(
        name="aws-failed-calls",
        asks="from where come bursts of refused calls and sign-ins?",
        rows=(95,),
        link=f"{_TABLES}/awscloudtrail",
        columns=(
            *("account", "address", "began", "ended", "refused", "failed_sign_ins", "signed_in_after"),
            *("actions", "who", "events"),
        ),
        narrowed=_OF_TRAILS,
        store=Store.LOGS,
    ),
    Question(
        name="cloudtrail-arrivals",
        asks="does CloudTrail arrive from every account?",
        rows=(94,),
        link=f"{_TABLES}/awscloudtrail",
        columns=("account", "silent", "last_event", "of_last_day", "regions"),
        narrowed=_OF_TRAILS,
        store=Store.LOGS,
    ),
)
BY_NAME = {each.name: each for each in QUESTIONS}


def narrowed(text: str, question: Question, wanted: Mapping[Narrowing, str]) -> str:
    """The query with a condition for each narrowing.

    Raises ValueError where the question has no such narrowing, or a value is more than letters, digits and hyphens.
    """
    if not wanted:
        return text
    wrong = next((value for value in wanted.values() if not _PLAIN.fullmatch(value)), None)
    if wrong is not None:
        raise ValueError(f"not a value for a query: {wrong!r}")
    if others := wanted.keys() - question.narrowed.keys():
        raise ValueError(f"{question.name} has no {', '.join(sorted(others))}")
    lines = text.splitlines()
    [at] = [number for number, line in enumerate(lines) if line.lstrip().startswith(MARK)]
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    conditions = [f"{indent}| where {question.narrowed[each].format(value)}" for each, value in wanted.items()]
    return "\n".join([*lines[: at + 1], *conditions, *lines[at + 1 :]]) + "\n"
