"""What has to be the case in the management account, as an operator's credentials can see it."""

from __future__ import annotations

from functools import partial

from shared.domain.doctor.verdicts import Check, Side, Team

_AWS = "https://docs.aws.amazon.com"
_DEFENDER = "https://learn.microsoft.com/azure/defender-for-cloud"
REGION = "us-east-1"
"""Organizations' events appear there only, so everything of AWS's side is there."""
_check = partial(Check, team=Team.AWS, side=Side.AWS)

CALLER = _check(
    key="aws-caller",
    title="Credentials of the management account",
    purpose="Only the management account sees the organization's events and deploys to all of it; of AWS's partitions "
    "Defender knows the commercial one only.",
    remedy="Use credentials of the management account, in the commercial partition.",
    command="aws sts get-caller-identity",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
FEATURES = _check(
    key="aws-organization-features",
    title="All features of the organization",
    purpose="StackSets deploy to an organization only where all of its features are on.",
    remedy="Enable all features; members that were invited have to agree.",
    command="aws organizations enable-all-features",
    link=f"{_AWS}/organizations/latest/userguide/orgs_manage_org_support-all-features.html",
)
TRUSTED_ACCESS = _check(
    key="aws-stack-sets-trusted",
    title="StackSets' access to the organization",
    purpose="CloudFormation itself has to have activated it: Organizations' list of trusted services is no proof.",
    remedy="Activate it in the management account.",
    command=f"aws cloudformation activate-organizations-access --region {REGION}",
    link=f"{_AWS}/AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html",
    fixable=True,
)
DELEGATED = _check(
    key="aws-delegated-administrator",
    title="Delegated administrators of StackSets",
    purpose="Defender connects an organization through its management account only; a StackSet of a delegated "
    "administrator makes no members for it.",
    remedy="Deploy Defender's StackSet in the management account, or take the delegation away.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
FEDERATION = _check(
    key="aws-outbound-federation",
    title="Outbound web identity federation",
    purpose="Without it no Lambda function gets the token by which it signs in to Azure.",
    remedy="Switch it on in the management account; then compare the issuer of the federated credentials.",
    command="aws iam enable-outbound-web-identity-federation",
    link=f"{_AWS}/IAM/latest/UserGuide/id_roles_providers_outbound.html",
    fixable=True,
)
STACK = _check(
    key="aws-stack",
    title="The stack of infra/aws/template.yaml",
    purpose="It has the queues, rules, functions and the StackSet.",
    remedy="Deploy it, or name it with ROLLCALL_STACK_NAME.",
    command="make deploy-aws APPLY=1",
    link=f"{_AWS}/AWSCloudFormation/latest/UserGuide/troubleshooting.html",
)
STACK_SET = _check(
    key="aws-stack-set",
    title="The StackSet of Defender's roles",
    purpose="It has to be service-managed, with automatic deployment off (the policy decides), managed execution on "
    "(operations queue) and leave to name roles.",
    remedy="Publish the template again, which puts the settings right.",
    command="rollcall template publish FILE --bucket BUCKET",
    link=f"{_AWS}/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html",
)
STACK_SET_DRIFT = _check(
    key="aws-stack-set-drift",
    title="Drift of the StackSets",
    purpose="A role that somebody changed by hand in an account lets Defender in no more, or lets in somebody else.",
    remedy="See which resources differ; update the instances of these accounts, which puts them right.",
    link=f"{_AWS}/AWSCloudFormation/latest/UserGuide/stacksets-drift.html",
)
READER_STACK_SET = _check(
    key="aws-reader-stack-set",
    title="The StackSet of the reader role",
    purpose="It gives each account, and those that come later by themselves, the role by which the sweep looks in.",
    remedy="Deploy infra/aws/reader-hub.yaml with ReaderTemplateUrl.",
    command="make deploy-aws APPLY=1",
    link=f"{_AWS}/AWSCloudFormation/latest/UserGuide/stacksets-orgs-manage-auto-deployment.html",
)
MANAGEMENT_STACK = _check(
    key="aws-management-stack",
    title="The management account's own stack of the roles",
    purpose="StackSets never reach the management account; the Organization connector needs its roles there.",
    remedy="Publish the template, which makes the stack, too.",
    command="rollcall template publish FILE --bucket BUCKET",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
RULES = _check(
    key="aws-rules",
    title="Rules of EventBridge",
    purpose="They bring events to the queues; a disabled one loses them without a word.",
    remedy="Enable the rule; where it or its target is missing, deploy the stack again.",
    command="make deploy-aws APPLY=1",
    link=f"{_AWS}/eventbridge/latest/userguide/eb-troubleshooting.html",
    fixable=True,
)
QUEUE_POLICIES = _check(
    key="aws-queue-policies",
    title="Policies of the queues",
    purpose="Only its own rule may send to a queue and its dead-letter queue, and only over TLS.",
    remedy="Give the queue the policy of the template.",
    command="make deploy-aws APPLY=1",
    link=f"{_AWS}/eventbridge/latest/userguide/eb-use-resource-based.html",
    fixable=True,
)
EVENT_SOURCES = _check(
    key="aws-event-sources",
    title="Queues as event sources of the functions",
    purpose="A disabled mapping leaves every message on its queue.",
    remedy="Enable the mapping; where it is missing, deploy the stack again.",
    command="make deploy-aws APPLY=1",
    link=f"{_AWS}/lambda/latest/dg/with-sqs.html",
    fixable=True,
)
SCHEDULE = _check(
    key="aws-schedule",
    title="The daily comparison",
    purpose="Events of accounts are best effort: the comparison is what keeps the promise.",
    remedy="Deploy the stack with DailyComparison=on once the first accounts were connected.",
    command="make deploy-aws APPLY=1",
    link=f"{_AWS}/scheduler/latest/UserGuide/managing-schedule-state.html",
)
BUCKET = _check(
    key="aws-bucket",
    title="The bucket of policy and templates",
    purpose="Whoever can change what lies there decides about all accounts: it keeps versions and takes TLS only.",
    remedy="Switch versioning on, and deny requests without TLS; infra/aws/bucket.yaml makes such a bucket.",
    command="make deploy-aws APPLY=1",
    link=f"{_AWS}/AmazonS3/latest/userguide/security-best-practices.html",
    fixable=True,
)
TEMPLATE = _check(
    key="aws-template",
    title="The StackSet's template against the profiles",
    purpose="A plan whose role is missing, has another name, or trusts another tenant makes a connector that Defender "
    "refuses or calls unhealthy.",
    remedy="Download the template from the portal anew with the plans of every profile, or publish ours again.",
    command="rollcall template lint FILE --profile NAME --policy POLICY",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
PROVIDER = _check(
    key="aws-identity-provider",
    title="Defender's identity provider of the management account",
    purpose="Defender's token counts by issuer, thumbprint and client ids; Microsoft Sentinel may have made the "
    "provider first, and an account has one for each address.",
    remedy="Add what it lacks; nothing of Sentinel's is taken away by that.",
    link="https://learn.microsoft.com/azure/sentinel/connect-aws",
)
AWS_CHECKS = (
    CALLER,
    FEATURES,
    TRUSTED_ACCESS,
    DELEGATED,
    FEDERATION,
    STACK,
    STACK_SET,
    STACK_SET_DRIFT,
    READER_STACK_SET,
    MANAGEMENT_STACK,
    RULES,
    QUEUE_POLICIES,
    EVENT_SOURCES,
    SCHEDULE,
    BUCKET,
    TEMPLATE,
    PROVIDER,
)
