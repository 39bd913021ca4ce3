"""Every kind of finding of the sweep; each has its heading in docs/runbook.md."""

from __future__ import annotations

from shared.domain.findings import NATIVE_MEMBER_OVERDUE, SUBSCRIPTION_PLAN_OFF
from shared.domain.sweep.findings import Area, Severity, SweepKind
from shared.domain.sweep.project_kinds import PROJECT_KINDS

_DEFENDER = "https://learn.microsoft.com/azure/defender-for-cloud"
_ARC = "https://learn.microsoft.com/azure/azure-arc/servers"
_RECOMMENDATION = "https://portal.azure.com/#blade/Microsoft_Azure_Security/RecommendationsBlade/assessmentKey"
SSM_ASSESSMENT = "4be5393d-cc33-4ef7-acae-80295bc3ae35"
"""The key of "EC2 instances should be managed by AWS Systems Manager"."""
ARC_ASSESSMENT = "231dee23-84db-44d2-bd9d-c32fbcfb42a3"
"""The key of "EC2 instances should be connected to Azure Arc"."""
OSCONFIG_ASSESSMENT = "20622d8c-2a4f-4a03-9896-a5f2f7ede717"
"""The key of "GCP VM instances should have OS config agent installed"."""
GCP_ARC_ASSESSMENT = "9bbe2f0f-d6c6-48e8-b4d0-cf25d2c50206"
"""The key of "GCP VM instances should be connected to Azure Arc"."""
GKE_SENSOR_ASSESSMENT = "0faf27b6-f1d5-4f50-b22a-5d129cba0113"
"""The key of "GKE clusters should have Microsoft Defender's extension for Azure Arc installed"."""
GKE_POLICY_ASSESSMENT = "6273e20b-8814-4fda-a297-42a70b16fcbf"
"""The key of "GKE clusters should have the Azure Policy extension installed"."""


def recommendation(key: str) -> str:
    """Where the portal shows the recommendation of this key."""
    return f"{_RECOMMENDATION}/{key}"


CONNECTOR_MISSING = SweepKind(
    key="connector-missing",
    area=Area.COVERAGE,
    severity=Severity.HIGH,
    remedy="Run `rollcall status` for the account, remove the cause that it names, then `rollcall onboard`.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
CONNECTOR_REFUSED = SweepKind(
    key="connector-refused",
    area=Area.COVERAGE,
    severity=Severity.HIGH,
    remedy="Do what the reason asks for, then run `rollcall onboard` for the account.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
CONNECTOR_DUPLICATE = SweepKind(
    key="connector-duplicate",
    area=Area.COVERAGE,
    severity=Severity.MEDIUM,
    remedy="Keep the connector that `rollcall plan` names, delete the others in the portal.",
    link=f"{_DEFENDER}/troubleshoot-connectors",
)
CONNECTOR_ORPHANED = SweepKind(
    key="connector-orphaned",
    area=Area.COVERAGE,
    severity=Severity.MEDIUM,
    remedy="Look at `rollcall offboard ID`; with --confirm it removes the connector.",
    link=f"{_DEFENDER}/troubleshoot-connectors",
)
CONNECTOR_MISPLACED = SweepKind(
    key="connector-misplaced",
    area=Area.COVERAGE,
    severity=Severity.LOW,
    remedy="Give the account's rule the target where its connector is, or offboard the account and onboard it again.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
MEMBER_OVERDUE = SweepKind(
    key=NATIVE_MEMBER_OVERDUE.key,
    area=Area.COVERAGE,
    severity=Severity.HIGH,
    remedy=NATIVE_MEMBER_OVERDUE.remedy,
    link=NATIVE_MEMBER_OVERDUE.link,
)
INSTANCE_MISSING = SweepKind(
    key="stack-instance-missing",
    area=Area.COVERAGE,
    severity=Severity.HIGH,
    remedy="Run `rollcall onboard` for the account; where it fails again, `rollcall status` has AWS's own reason.",
    link="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html",
)
CONNECTOR_UNHEALTHY = SweepKind(
    key="connector-unhealthy",
    area=Area.HEALTH,
    severity=Severity.HIGH,
    remedy="Follow the steps that Defender gives for the issue, which are in its evidence.",
    link=f"{_DEFENDER}/troubleshoot-connectors",
)
HEALTH_UNKNOWN = SweepKind(
    key="health-unknown",
    area=Area.HEALTH,
    severity=Severity.MEDIUM,
    remedy="Look at the connector under Environment settings; where the portal has no state either, ask Microsoft.",
    link=f"{_DEFENDER}/troubleshoot-connectors",
)
PROVIDER_WRONG = SweepKind(
    key="provider-wrong",
    area=Area.HEALTH,
    severity=Severity.HIGH,
    remedy="Bring the provider back to what the member template makes; where Sentinel was first, add the client ids.",
    link=f"{_DEFENDER}/concept-authentication-architecture-aws",
)
ROLE_WRONG = SweepKind(
    key="role-wrong",
    area=Area.HEALTH,
    severity=Severity.HIGH,
    remedy="Bring the role back to what the member template makes: detect drift of the account's stack, then mend it.",
    link=f"{_DEFENDER}/concept-authentication-architecture-aws",
)
TEMPLATE_DIFFERS = SweepKind(
    key="template-differs",
    area=Area.HEALTH,
    severity=Severity.HIGH,
    remedy="Run `rollcall onboard` where the instance is outdated or has failed; else update the StackSet for this "
    "account, with its template as it is.",
    link="https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStackSet.html",
)
CONNECTOR_DRIFTED = SweepKind(
    key="connector-drifted",
    area=Area.DRIFT,
    severity=Severity.MEDIUM,
    remedy="Run `rollcall onboard` for the account, or change the policy.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
STANDARD_UNASSIGNED = SweepKind(
    key="standard-unassigned",
    area=Area.DRIFT,
    severity=Severity.MEDIUM,
    remedy="Run `rollcall onboard` for the account, or take the standard out of its profile.",
    link=f"{_DEFENDER}/update-regulatory-compliance-packages",
)
GOVERNANCE_DRIFTED = SweepKind(
    key="governance-drifted",
    area=Area.DRIFT,
    severity=Severity.MEDIUM,
    remedy="Run `rollcall onboard` for the account, or change the rule in its profile.",
    link=f"{_DEFENDER}/governance-rules",
)
NOTHING_DISCOVERED = SweepKind(
    key="nothing-discovered",
    area=Area.DISCOVERY,
    severity=Severity.MEDIUM,
    remedy="See whether the connector is healthy and a standard is assigned to it; an account without resources may "
    "stay empty.",
    link=f"{_DEFENDER}/troubleshoot-connectors",
)
MACHINE_TAGS_MISSING = SweepKind(
    key="machine-tags-missing",
    area=Area.MACHINES,
    severity=Severity.LOW,
    remedy="Give the machine the tags back; without them Defender takes it for one of its own no longer.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
MACHINE_DISCONNECTED = SweepKind(
    key="machine-disconnected",
    area=Area.MACHINES,
    severity=Severity.LOW,
    remedy="Start the instance or mend its Connected Machine agent; an expired one has to be connected anew.",
    link=f"{_ARC}/agent-overview",
)
MACHINE_ORPHANED = SweepKind(
    key="machine-orphaned",
    area=Area.MACHINES,
    severity=Severity.MEDIUM,
    remedy="Delete the Arc machine, or let the sweep do it: `deletions: {orphaned_machines: true}` in the policy.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
MACHINE_DUPLICATE = SweepKind(
    key="machine-duplicate",
    area=Area.MACHINES,
    severity=Severity.LOW,
    remedy="Delete the machine whose agent is not connected.",
    link=f"{_ARC}/agent-overview",
)
SSM_MISSING = SweepKind(
    key="ssm-missing",
    area=Area.ADVICE,
    severity=Severity.MEDIUM,
    remedy="Let Systems Manager manage the instances that the recommendation lists: SSM Agent installed, and the "
    "rights of AmazonSSMManagedInstanceCore; until then Defender cannot connect them to Azure Arc.",
    link=recommendation(SSM_ASSESSMENT),
)
SSM_PROFILE_MISSING = SweepKind(
    key="ssm-profile-missing",
    area=Area.ADVICE,
    severity=Severity.LOW,
    remedy="Attach an instance profile with AmazonSSMManagedInstanceCore, run Defender's association of Systems "
    "Manager again, or switch Default Host Management Configuration on.",
    link="https://docs.aws.amazon.com/systems-manager/latest/userguide/fleet-manager-default-host-management-configuration.html",
)
ARC_MISSING = SweepKind(
    key="arc-missing",
    area=Area.ADVICE,
    severity=Severity.LOW,
    remedy="Mend Systems Manager where `ssm-missing` is found, too; else connect the instances that the recommendation "
    "lists by hand, as its own steps say.",
    link=recommendation(ARC_ASSESSMENT),
)
OSCONFIG_MISSING = SweepKind(
    key="osconfig-missing",
    area=Area.ADVICE,
    severity=Severity.MEDIUM,
    remedy="Install the OS Config agent on the VM instances that the recommendation lists; Defender does not, and "
    "cannot connect them to Azure Arc without it.",
    link=recommendation(OSCONFIG_ASSESSMENT),
)
CLUSTER_EXTENSION_MISSING = SweepKind(
    key="cluster-extension-missing",
    area=Area.ADVICE,
    severity=Severity.LOW,
    remedy="Install both extensions on the GKE clusters that the recommendation lists, with Azure Arc where it is "
    "missing, or leave out of the profile what is not wanted.",
    link=recommendation(GKE_SENSOR_ASSESSMENT),
)
CLUSTER_MISSING = SweepKind(
    key="cluster-missing",
    area=Area.ADVICE,
    severity=Severity.LOW,
    remedy="Nothing where clusters are still to come; else give the account a profile without Containers.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
SQL_MISSING = SweepKind(
    key="sql-missing",
    area=Area.ADVICE,
    severity=Severity.LOW,
    remedy="Nothing where databases are still to come; else see whether machines with SQL Server are connected to "
    "Azure Arc, or give the account a profile without Databases.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
TRIAL_ENDS = SweepKind(
    key="trial-ends",
    area=Area.PREREQUISITES,
    severity=Severity.LOW,
    remedy="Nothing where its plans are to be paid for; else give the account a profile without them.",
    link="https://azure.microsoft.com/pricing/details/defender-for-cloud/",
)
PLAN_OFF = SweepKind(
    key=SUBSCRIPTION_PLAN_OFF.key,
    area=Area.PREREQUISITES,
    severity=Severity.HIGH,
    remedy="Switch it on with `rollcall subscription enable --plans`, or give the accounts a profile that needs none.",
    link=SUBSCRIPTION_PLAN_OFF.link,
)
RIGHTS_MISSING = SweepKind(
    key="rights-missing",
    area=Area.PREREQUISITES,
    severity=Severity.HIGH,
    remedy="Give the Function App's identity the roles of docs/operations.md, section 1, there again.",
    link="https://learn.microsoft.com/azure/role-based-access-control/role-assignments-portal",
)
SUBSCRIPTION_UNSEEN = SweepKind(
    key="subscription-unseen",
    area=Area.PREREQUISITES,
    severity=Severity.HIGH,
    remedy="Give the Function App's identity Reader at the tenant's root management group; where the subscription is "
    "gone, take it out of the policy and onboard its accounts again.",
    link="https://learn.microsoft.com/azure/governance/resource-graph/overview",
)
MESSAGES_GIVEN_UP = SweepKind(
    key="messages-given-up",
    area=Area.PREREQUISITES,
    severity=Severity.HIGH,
    remedy="See them with `rollcall replay list`, remove the causes, then `rollcall replay run`.",
    link="https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger",
)
SWEEP_INCOMPLETE = SweepKind(
    key="sweep-incomplete",
    area=Area.SWEEP,
    severity=Severity.HIGH,
    link=f"{_DEFENDER}/troubleshoot-connectors",
    remedy="Remove the cause, then run `rollcall sweep`. Nothing is deleted until a sweep is complete.",
)
SWEEP_UNFINISHED = SweepKind(
    key="sweep-unfinished",
    area=Area.SWEEP,
    severity=Severity.HIGH,
    link="https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger",
    remedy="Look for its run in the log of `sweep_slice` and on the queue `sweep-poison`, then run `rollcall sweep`.",
)

SWEEP_MISSED = SweepKind(
    key="sweep-missed",
    area=Area.SWEEP,
    severity=Severity.MEDIUM,
    link="https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer",
    remedy="See whether the Function App was stopped, and whether ROLLCALL_SWEEP__SCHEDULE asks for a sweep each day.",
)
NOTICE_UNDELIVERED = SweepKind(
    key="notice-undelivered",
    area=Area.SWEEP,
    severity=Severity.MEDIUM,
    link="https://learn.microsoft.com/azure/app-service/app-service-key-vault-references",
    remedy="See whether the receiver takes messages, then run `rollcall sweep`: it is told all that it has missed.",
)

SWEEP_KINDS = (*(found for found in list(vars().values()) if isinstance(found, SweepKind)), *PROJECT_KINDS)
"""Every kind, in the order above; last what keeps Defender out of GCP projects."""
