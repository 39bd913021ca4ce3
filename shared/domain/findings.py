"""What Rollcall itself finds before and after a connector is made; each kind has its heading in docs/runbook.md."""

from __future__ import annotations

from dataclasses import dataclass

_LEARN = "https://learn.microsoft.com"
_DEFENDER = f"{_LEARN}/azure/defender-for-cloud"
_AWS = "https://docs.aws.amazon.com"
_GOOGLE = "https://cloud.google.com"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found: `key` is its heading, `remedy` says what a person has to do."""

    key: str
    reason: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class FindingKind:
    """A kind of finding; `link` is the vendor's own documentation."""

    key: str
    remedy: str
    link: str

    def found(self, reason: str, *, remedy: str = "") -> Finding:
        """One of this kind; `remedy` says the kind's own with what is known of the case."""
        return Finding(key=self.key, reason=reason, remedy=f"{remedy or self.remedy} Runbook: {self.key}.")


SUBSCRIPTION_NOT_ENABLED = FindingKind(
    key="subscription-not-enabled",
    remedy="Enable the subscription again, or give these accounts another target in the policy, then replay.",
    link=f"{_LEARN}/azure/cost-management-billing/manage/subscription-disabled",
)
CLASSIC_CONNECTOR = FindingKind(
    key="classic-connector",
    remedy="Delete the classic connector (Environment settings, Classic cloud connectors), delete its role or access "
    "key in the AWS account, then replay.",
    link=f"{_DEFENDER}/how-to-use-the-classic-connector",
)
SUBSCRIPTION_PLAN_OFF = FindingKind(
    key="subscription-plan-off",
    remedy="Switch the plans on with `rollcall subscription enable --plans`, or say in the policy "
    "`prechecks: {subscription_plans: warn}`, then replay.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
OWNER_MISSING = FindingKind(
    key="owner-missing",
    remedy="Let an Owner give our identity role assignment rights, take these parts out of the profile, or say in "
    "the policy `prechecks: {owner_features: downgrade}`, then replay.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
NATIVE_MEMBER_OVERDUE = FindingKind(
    key="native-member-overdue",
    remedy="Check that the Organization connector does not exclude the account, that its StackSet name is right and "
    "its StackSet reaches the account, then replay.",
    link=f"{_DEFENDER}/troubleshoot-connectors",
)
ORGANIZATION_CONNECTOR_MISSING = FindingKind(
    key="organization-connector-missing",
    remedy="Ask for it with `rollcall onboard` and the id of the management account or project; members follow by "
    "themselves.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
ORGANIZATION_CONNECTOR_IN_USE = FindingKind(
    key="organization-connector-in-use",
    remedy="Remove its members first, ours with `rollcall offboard` and Defender's own in the portal; a minute later "
    "offboard the management account or project.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
MEMBERSHIP_CHANGE = FindingKind(
    key="membership-change",
    remedy="Go back to the mode that the connector was made in, or offboard the account and onboard it again.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
MODE_SWITCH = FindingKind(
    key="mode-switch",
    remedy="Go back to the mode that they were made in, or remove them first, step by step as the runbook says; then "
    "publish the new mode and run `rollcall backfill`.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
EXCLUDED_AT_PARENT = FindingKind(
    key="excluded-at-parent",
    remedy="Nothing: it is taken off the list, and the account follows by itself. If it lasts, see "
    "`rollcall status` of the management account.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
STANDARD_UNKNOWN = FindingKind(
    key="standard-unknown",
    remedy="Write the standard's name in the policy as the portal shows it under Security policies of the connector.",
    link=f"{_DEFENDER}/update-regulatory-compliance-packages",
)
STANDARD_REFUSED = FindingKind(
    key="standard-refused",
    remedy="Give the profile a paid plan other than Servers P1, or take the standard out of it.",
    link=f"{_DEFENDER}/update-regulatory-compliance-packages",
)
GOVERNANCE_REFUSED = FindingKind(
    key="governance-refused",
    remedy="Give the profile Defender CSPM and each governance rule a priority of its own, or take the rules out.",
    link=f"{_DEFENDER}/governance-rules",
)
ACCOUNT_CLOSED = FindingKind(
    key="account-closed",
    remedy="Nothing where it stays closed; `rollcall offboard ID --confirm` removes a connector of ours that is left. "
    "Where it was reopened, delete the stack of the StackSet that is left in it, then run `rollcall onboard ID`.",
    link="https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_close.html",
)
ACCOUNT_DEPARTED = FindingKind(
    key="account-departed",
    remedy="Let the account's owner delete its stack StackSet-*, and with it Defender's identity provider and roles; "
    "`rollcall offboard ID --confirm` removes a connector of ours that is left.",
    link="https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_accounts_remove.html",
)
ROLES_NOT_REMOVED = FindingKind(
    key="roles-not-removed",
    remedy="Remove the cause that CloudFormation names, then delete the account's instance in the StackSet; where the "
    "account is closed or gone, with its stack retained.",
    link="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stackinstances-delete.html",
)
PROJECT_DELETED = FindingKind(
    key="project-deleted",
    remedy="Nothing where it stays deleted; `rollcall offboard ID --provider gcp --confirm` removes a connector of "
    "ours that is left. For 30 days it can be undeleted, and is then connected again by itself.",
    link=f"{_GOOGLE}/resource-manager/docs/creating-managing-projects",
)
PROJECT_DEPARTED = FindingKind(
    key="project-departed",
    remedy="Nothing where it was purged or moved out of the organization; `rollcall offboard ID --provider gcp "
    "--confirm` removes a connector of ours that is left.",
    link=f"{_GOOGLE}/resource-manager/docs/project-migration",
)
VM_MANAGER_OFF = FindingKind(
    key="vm-manager-off",
    remedy="Set it by hand: `gcloud compute project-info add-metadata --project=ID --metadata=enable-osconfig=TRUE`; "
    "or let Rollcall set it (`rollcall_arc = true` in infra/gcp), then ask for the project again.",
    link=f"{_GOOGLE}/compute/docs/manage-os",
)

PARTITION_NOT_SUPPORTED = FindingKind(
    key="partition-not-supported",
    remedy="Use an organization of the commercial partition: Defender connects no account of GovCloud or China.",
    link=f"{_DEFENDER}/support-matrix-defender-for-cloud",
)
FEATURES_NOT_ALL = FindingKind(
    key="features-not-all",
    remedy="Enable all features of the organization (`aws organizations enable-all-features`), to which members agree.",
    link=f"{_AWS}/organizations/latest/userguide/orgs_manage_org_support-all-features.html",
)
CALLER_NOT_MANAGEMENT = FindingKind(
    key="caller-not-management",
    remedy="Use credentials of the management account.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
STACK_SETS_NOT_TRUSTED = FindingKind(
    key="stack-sets-not-trusted",
    remedy="Run it again with --fix, or `aws cloudformation activate-organizations-access` in the management account.",
    link=f"{_AWS}/AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html",
)
STS_NOT_REGIONAL = FindingKind(
    key="sts-not-regional",
    remedy="Set AWS_STS_REGIONAL_ENDPOINTS=regional, or take sts_regional_endpoints out of the AWS configuration.",
    link=f"{_AWS}/sdkref/latest/guide/feature-sts-regionalized-endpoints.html",
)
WEB_IDENTITY_OFF = FindingKind(
    key="web-identity-off",
    remedy="Run `aws iam enable-outbound-web-identity-federation` in the management account.",
    link=f"{_AWS}/IAM/latest/UserGuide/id_roles_providers_outbound.html",
)
BUCKET_MISSING = FindingKind(
    key="bucket-missing",
    remedy="Make the bucket in the management account, in us-east-1, or name another with --bucket.",
    link=f"{_AWS}/AmazonS3/latest/userguide/create-bucket-overview.html",
)
BUCKET_NOT_VERSIONED = FindingKind(
    key="bucket-not-versioned",
    remedy="Switch the bucket's versioning on (`aws s3api put-bucket-versioning`), to have old templates back.",
    link=f"{_AWS}/AmazonS3/latest/userguide/manage-versioning-examples.html",
)
BUCKET_WITHOUT_TLS = FindingKind(
    key="bucket-without-tls",
    remedy="Give the bucket a policy that denies s3:* to everybody where aws:SecureTransport is false.",
    link=f"{_AWS}/AmazonS3/latest/userguide/security-best-practices.html",
)
TEMPLATE_PARAMETERS = FindingKind(
    key="template-parameters",
    remedy="Publish what `rollcall template build` writes, or a template of the portal as it was downloaded.",
    link=f"{_AWS}/AWSCloudFormation/latest/APIReference/API_CreateStackInstances.html",
)
TEMPLATE_LINT = FindingKind(
    key="template-lint",
    remedy="Download the template from the portal anew, with the plans of every profile of the policy; where you know "
    "better, give --despite-findings.",
    link=f"{_DEFENDER}/quickstart-onboard-aws",
)
STACK_SET_SELF_MANAGED = FindingKind(
    key="stack-set-self-managed",
    remedy="Delete that StackSet with its instances, or name another with ROLLCALL_STACK_SET_NAME.",
    link=f"{_AWS}/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html",
)

KINDS = tuple(found for found in list(vars().values()) if isinstance(found, FindingKind))
"""Every kind, in the order above."""
