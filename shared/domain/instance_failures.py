"""Why a stack instance failed, read from the only thing that CloudFormation says about it: a sentence.

Source: CloudFormation user guide, "Troubleshooting StackSets"; IAM user guide, "Access denied error messages";
AWS Organizations' common errors; texts quoted in public issues (aws-samples/aws-secure-environment-accelerator
1186, aws-solutions/aws-control-tower-customizations 109). In the middle of it comes the service's own sentence:
`ResourceLogicalId:…, ResourceType:…, ResourceStatusReason:….`
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.domain.roles import PROVIDER_HOST

_THEN = "then run `rollcall onboard` for this account."


@dataclass(frozen=True, kw_only=True)
class InstanceFailure:
    """One kind of failure: `key` is its heading in docs/runbook.md, `remedy` says what a person has to do."""

    key: str
    remedy: str
    link: str


_GUIDE = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-troubleshooting.html"
_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
_ORGANIZATIONS = "https://docs.aws.amazon.com/organizations/latest"

UNKNOWN = InstanceFailure(
    key="instance-failed",
    remedy=f"Remove the cause that CloudFormation names, {_THEN}",
    link=_GUIDE,
)
NOT_READY = InstanceFailure(
    key="instance-not-ready",
    remedy="Wait: it is tried again with growing delays, later by the daily comparison. Where that does not help, "
    f"see whether AWS has activated the account, {_THEN}",
    link=_GUIDE,
)
SUSPENDED = InstanceFailure(
    key="account-suspended",
    remedy=f"Reopen the account, {_THEN} A closed account needs no connector.",
    link=f"{_ORGANIZATIONS}/userguide/orgs_manage_accounts_close.html",
)
EXECUTION_ROLE_MISSING = InstanceFailure(
    key="execution-role-missing",
    remedy=f"Activate trusted access of StackSets, which makes the role stacksets-exec-* anew, {_THEN}",
    link="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html",
)
DENIED_IN_ACCOUNT = InstanceFailure(
    key="denied-in-account",
    remedy=f"Find the policy that denies stacksets-exec-* the action that is named, {_THEN}",
    link=f"{_IAM}/troubleshoot_access-denied.html",
)
PROVIDER_EXISTS = InstanceFailure(
    key="identity-provider-exists",
    remedy="Publish a member template that has the parameter IdentityProvider (`rollcall template publish`); where it "
    "has to be the portal's, take the identity provider out of the template for these accounts. Let the provider that "
    f"is there list Defender's client ids, {_THEN}",
    link="https://learn.microsoft.com/en-us/azure/defender-for-cloud/sentinel-connected-aws",
)

_KNOWN = (
    (
        r"^the management account",  # our own words: shared/domain/reconciliation.py
        InstanceFailure(
            key="management-stack",
            remedy="Give the management account a complete stack of the member template with its profile's parameters "
            f"(operations.md, section 3), {_THEN}",
            link="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts-stackset-permission-models.html",
        ),
    ),
    (
        r"service control policy|resource control policy",
        InstanceFailure(
            key="denied-by-scp",
            remedy=f"Let the roles stacksets-exec-* through the service control policy of the account's OU, {_THEN}",
            link=f"{_ORGANIZATIONS}/userguide/orgs_manage_policies_scps.html",
        ),
    ),
    (r"optinrequired|subscriptionrequired|needs a subscription|not signed up|pending activation", NOT_READY),
    (
        rf"(?s)({re.escape(PROVIDER_HOST)}|ascdefendersoidcidentityprovider)((?!resourcelogicalid).)*already ?exists",
        PROVIDER_EXISTS,
    ),
    (
        r"already ?exists",
        InstanceFailure(
            key="resource-already-exists",
            remedy=f"Remove the role or identity provider of that name in the account, {_THEN}",
            link=_GUIDE,
        ),
    ),
    (r"suspended|account is closed", SUSPENDED),
    (
        r"cancell?ed",
        InstanceFailure(
            key="operation-cancelled",
            remedy=f"See who stopped the operation and which other account failed in it, {_THEN}",
            link=_GUIDE,
        ),
    ),
    (r"should have '[^']*' role|sts:assumerole", EXECUTION_ROLE_MISSING),
    (
        r"limit ?exceeded|exceed quota|quota exceeded",
        InstanceFailure(
            key="iam-quota",
            remedy=f"Have the account's IAM quota raised or remove what it does not need, {_THEN}",
            link=f"{_IAM}/reference_iam-quotas.html",
        ),
    ),
    (r"access ?denied|not authorized|unauthorized", DENIED_IN_ACCOUNT),
    (
        r"rate exceeded|throttl|internal ?failure|internal error|service ?unavailable|timed out",
        InstanceFailure(
            key="instance-hiccup", remedy="Run `rollcall onboard` for this account; nothing is wrong.", link=_GUIDE
        ),
    ),
    (
        r"validationerror|template|parameters?:",
        InstanceFailure(
            key="member-template-refused",
            remedy=f"Correct the member template and publish it, {_THEN}",
            link="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html",
        ),
    ),
)

FAILURES = (*(failure for _, failure in _KNOWN), UNKNOWN)
"""Every kind of failure there is."""


def diagnose_instance(reason: str) -> InstanceFailure:
    """What a failed stack instance's `reason` means; the first pattern that fits counts."""
    lowered = reason.lower()
    return next((failure for pattern, failure in _KNOWN if re.search(pattern, lowered)), UNKNOWN)
