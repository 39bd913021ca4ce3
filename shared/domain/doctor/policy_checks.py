"""What both clouds read, and what other teams have to be told: advice with the concrete values of this deployment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from shared.domain.connectors import Connector
from shared.domain.doctor.verdicts import Check, Side, Team, Verdict
from shared.domain.placement import is_ours
from shared.domain.policy import Policy
from shared.domain.profiles import Plan
from shared.domain.publication import PublishedPolicy
from shared.domain.role_templates import RoleTemplate
from shared.domain.roles import AUDIENCE_OF, Role

_DEFENDER = "https://learn.microsoft.com/azure/defender-for-cloud"
_check = partial(Check, side=Side.POLICY)
_MOST_NAMED = 10

POLICY_SKEW = _check(
    key="policy-skew",
    team=Team.SECURITY_OPERATIONS,
    title="One policy in both clouds",
    purpose="AWS's side decides by the copy in S3, Azure's by the blob; where they differ Azure's wins.",
    remedy="Publish the policy again, to both places.",
    command="rollcall policy publish FILE",
    link="https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html",
)
CLUSTER_EGRESS = _check(
    key="cluster-egress",
    team=Team.NETWORK,
    title="What clusters of EKS and GKE need",
    purpose="Defender for Containers asks the API server of each cluster, and its sensor sends to Defender.",
    remedy="Let these addresses into the API servers' authorized networks, and these names out.",
    link=f"{_DEFENDER}/defender-for-containers-network-access",
)
ROLLCALL_EGRESS = _check(
    key="rollcall-egress",
    team=Team.NETWORK,
    title="What Rollcall itself calls",
    purpose="A firewall between that stops one of these stops the functions.",
    remedy="Let these names out, port 443.",
    link="https://learn.microsoft.com/azure/azure-functions/functions-networking-options",
)
SIEM_FILTER = _check(
    key="siem-filter",
    team=Team.SECURITY_OPERATIONS,
    title="Defender's scan in CloudTrail",
    purpose="It reads every account several times a day; a SIEM that takes it for an attacker raises alerts.",
    remedy="Leave out what this role reads, and nothing else.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
AGENT_SETTING = _check(
    key="agent-setting",
    team=Team.SECURITY_OPERATIONS,
    title="One setting for agents in a subscription",
    purpose="Settings of agents and extensions belong to the Azure subscription: all accounts and projects that are "
    "connected in it share them.",
    remedy="Give accounts that need another setting a target in another subscription.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
POLICY_CHECKS = (POLICY_SKEW, CLUSTER_EGRESS, ROLLCALL_EGRESS, SIEM_FILTER, AGENT_SETTING)

API_SERVER_SOURCES = ("172.212.245.192/28", "48.209.1.192/28")
"""Where Defender asks API servers from. Source: Defender for Containers, network access (2026)."""
CLUSTER_NAMES = ("*.cloud.defender.microsoft.com:443",)
"""What clusters send to. Source: the same."""
_GOOGLE_NAMES = (
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "orgpolicy.googleapis.com",
    "serviceusage.googleapis.com",
    "sts.googleapis.com",
    "www.googleapis.com",
)
_AWS_NAMES = (
    "cloudformation.us-east-1.amazonaws.com",
    "ec2.*.amazonaws.com",
    "iam.amazonaws.com",
    "organizations.us-east-1.amazonaws.com",
    "sqs.us-east-1.amazonaws.com",
    "sts.us-east-1.amazonaws.com",
)
_MICROSOFT_NAMES = ("login.microsoftonline.com", "management.azure.com")


@dataclass(frozen=True, kw_only=True)
class Places:
    """Addresses of this deployment, as the settings have them; empty where none does."""

    queues: str = ""
    tables: str = ""
    blobs: str = ""


def skew_verdict(places: Mapping[str, PublishedPolicy | None]) -> Verdict:
    """Whether each place has the same bytes."""
    hashes = {url: found.content_hash if found else "" for url, found in places.items()}
    absent = [url for url, content_hash in hashes.items() if not content_hash]
    if absent:
        return POLICY_SKEW.wrong(f"no policy lies in {', '.join(absent)}", evidence=hashes)
    if len(set(hashes.values())) > 1:
        said = ", ".join(f"{url} has {content_hash[:12]}" for url, content_hash in hashes.items())
        return POLICY_SKEW.wrong(f"the policies differ: {said}", evidence=hashes)
    return POLICY_SKEW.ok(f"both have {next(iter(hashes.values()))[:12]}", evidence=hashes)


def clusters_verdict(policy: Policy) -> Verdict:
    """The addresses, where any profile of either cloud has Containers."""
    policies = [each for each in (policy, policy.gcp) if each is not None]
    named = sorted({p.name for each in policies for p in each.used_profiles if Plan.CONTAINERS in p.plans})
    if not named:
        return CLUSTER_EGRESS.ok("no profile of the policy has Containers")
    kinds = " and ".join("EKS" if each is policy else "GKE" for each in policies)
    return CLUSTER_EGRESS.advice(
        f"profile(s) {', '.join(named)} have Containers: {kinds} API servers admit {', '.join(API_SERVER_SOURCES)}, "
        f"clusters reach {', '.join(CLUSTER_NAMES)}",
        evidence={"api_servers_admit": ", ".join(API_SERVER_SOURCES), "clusters_reach": ", ".join(CLUSTER_NAMES)},
    )


def egress_verdict(policy: Policy, places: Places) -> Verdict:
    """The names that the Lambda functions and the Function App call."""
    storage = [host for url in (places.queues, places.tables, places.blobs) if (host := urlsplit(url).hostname)]
    google = _GOOGLE_NAMES if policy.gcp is not None else ()
    functions = sorted({*_MICROSOFT_NAMES, *storage, *_AWS_NAMES, *google})
    lambdas = sorted({_MICROSOFT_NAMES[0], *([urlsplit(places.queues).hostname or ""] if places.queues else [])})
    return ROLLCALL_EGRESS.advice(
        f"the Lambda functions reach {', '.join(lambdas)} besides AWS; the Function App reaches {', '.join(functions)}",
        evidence={"lambda_functions": ", ".join(lambdas), "function_app": ", ".join(functions)},
    )


def scan_role(template: RoleTemplate) -> str:
    """The name of the role by which Defender scans, as the template has it: by whose tokens it lets in."""
    audience = AUDIENCE_OF[Role.CSPM_MONITOR]
    named = [role.name for role in template.roles if any(audience in trust.audiences for trust in role.trusts)]
    return named[0] if named else ""


def siem_verdict(role: str) -> Verdict:
    """The filter with the role's real name; a name that connectors do not use is wrong elsewhere (`aws-template`)."""
    if not role:
        return SIEM_FILTER.unknown("the deployed template has no role for Defender's scan")
    filter_ = f'userIdentity.sessionContext.sessionIssuer.userName = "{role}"'
    kql = f"AWSCloudTrail | where SessionIssuerUserName != '{role}'"
    same = "as connectors name it" if role == Role.CSPM_MONITOR else f"connectors name {Role.CSPM_MONITOR}"
    return SIEM_FILTER.advice(
        f"the scan comes as {role} ({same}); leave out {filter_}",
        evidence={"role": role, "cloudtrail": filter_, "kql": kql},
    )


def agent_verdicts(policy: Policy, connectors: Iterable[Connector]) -> Iterator[Verdict]:
    """Which accounts and projects share a subscription, where Servers or Databases may bring agents."""
    policies = [each for each in (policy, policy.gcp) if each is not None]
    shared: dict[str, list[str]] = {}
    for each in connectors:
        if any(is_ours(each, one) for one in policies):
            shared.setdefault(each.connector_id.subscription_id.lower(), []).append(each.hierarchy_identifier)
    several = {subscription: ids for subscription, ids in shared.items() if len(ids) > 1}
    if not several:
        yield AGENT_SETTING.ok("no subscription holds more than one connector of ours")
    for subscription, ids in sorted(several.items()):
        named = ", ".join(sorted(ids)[:_MOST_NAMED])
        more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
        yield AGENT_SETTING.advice(
            f"{len(ids)} accounts and projects share its setting: {named}{more}",
            subject=subscription,
            command=f"az security setting list --subscription {subscription}",
            evidence={"accounts": ", ".join(sorted(ids))},
        )
