"""Least privilege, for roles that stacks made: what their policies do not allow is denied.

Everybody else in the sandbox (its administrator, tests, roles that Organizations makes) is unrestricted.
Actions and conditions are evaluated as IAM does; resources only where the request plainly names one.
Source: IAM user guide, "Policy evaluation logic"; Service Authorization Reference.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.models import Role
from moto.organizations.models import organizations_backends

from sandbox.aws.active import PARTITION
from sandbox.aws.callers import Caller
from sandbox.aws.managed_policies import made_by_stacks
from sandbox.aws.policy_conditions import Context, as_list, condition_holds, wildcard_matches
from sandbox.aws.queue_keys import needed_of_roles
from sandbox.aws.request_facts import RequestFacts
from sandbox.aws.request_resources import resource_of

# Operations whose permission has another name.
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "monitoring:GetMetricData": "cloudwatch:GetMetricData",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
_FREE = {"sts:GetCallerIdentity"}


def action_of(operation: str) -> str:
    """The IAM action that an operation (`sqs:SendMessageBatch`) needs."""
    return _ACTIONS.get(operation, operation)


def statements_of(role: Role) -> Iterator[dict[str, Any]]:
    """Every statement of a role's policies, its own and managed ones."""
    documents = [*role.policies.values()]
    for policy in role.managed_policies.values():
        documents += [version.document for version in policy.versions if version.is_default]
    for document in documents:
        policy_json = json.loads(document) if isinstance(document, str) else document
        yield from as_list(policy_json["Statement"])


def _organization_of(role_arn: str) -> str:
    """The organization of a role's account; empty for an account of none."""
    member_id = (role_arn.split(":") + [""] * 5)[4]
    known = organizations_backends.master_accounts.get(member_id)
    org = organizations_backends[known[0]][PARTITION].org if known is not None else None
    return str(org.id) if org is not None else ""


def _context(facts: RequestFacts, caller: Caller) -> Context:
    context: dict[str, str | list[str]] = {
        "aws:PrincipalAccount": caller.account_id,
        "aws:PrincipalArn": caller.arn,
        "aws:RequestedRegion": facts.region,
        "aws:ResourceAccount": caller.account_id,
        "aws:SecureTransport": "true",  # the sandbox's http stands for AWS's https
        "kms:ViaService": f"{facts.service}.{facts.region}.amazonaws.com",  # a service asks KMS for its caller
    }
    if facts.operation == "GetWebIdentityToken":
        given = facts.parameters
        context["sts:IdentityTokenAudience"] = [
            value for name, value in given.items() if name.startswith("Audience.member.")
        ]
        context["sts:DurationSeconds"] = str(given.get("DurationSeconds", 300))
        context["sts:SigningAlgorithm"] = str(given.get("SigningAlgorithm"))
    if facts.operation == "AssumeRole" and (owner := _organization_of(facts.parameters.get("RoleArn", ""))):
        context["aws:ResourceOrgID"] = owner
    if facts.operation == "PutEvents":
        context["events:source"] = [str(entry.get("Source")) for entry in as_list(facts.parameters.get("Entries"))]
    return context


def _named(statement: dict[str, Any], kind: str, value: str, *, ignore_case: bool) -> bool:
    if f"Not{kind}" in statement:
        excluded = as_list(statement[f"Not{kind}"])
        return not any(wildcard_matches(pattern, value, ignore_case=ignore_case) for pattern in excluded)
    patterns = as_list(statement.get(kind))
    return any(wildcard_matches(pattern, value, ignore_case=ignore_case) for pattern in patterns)


def denial(facts: RequestFacts, caller: Caller) -> str | None:
    """Why the caller may not do this; None where it may."""
    if caller.role is None or caller.arn not in made_by_stacks(caller.account_id):
        return None
    action = action_of(f"{facts.service}:{facts.operation}")
    if action in _FREE:
        return None
    context = _context(facts, caller)
    needed = [(action, resource_of(facts, caller.account_id)), *needed_of_roles(facts)]
    refusals = (_refusal(caller, caller.role, *each, context) for each in needed)
    return next((why for why in refusals if why is not None), None)


def refusal_of_role(caller: Caller, action: str, resource: str) -> str | None:
    """Why a role that an AWS service works with may not do this; None where it may, or where the caller is no role."""
    if caller.role is None:
        return None
    context: Context = {"aws:PrincipalArn": caller.arn, "aws:SecureTransport": "true"}
    return _refusal(caller, caller.role, action, resource, context)


def _refusal(caller: Caller, role: Role, action: str, resource: str | None, context: Context) -> str | None:
    effects = {
        statement["Effect"]
        for statement in statements_of(role)
        if _named(statement, "Action", action, ignore_case=True)
        and (resource is None or _named(statement, "Resource", resource, ignore_case=False))
        and condition_holds(statement.get("Condition"), context)
    }
    who = caller.session.arn if caller.session else caller.arn
    start = f"User: {who} is not authorized to perform: {action}"
    on_resource = f" on resource: {resource}" if resource else ""
    if "Deny" in effects:
        return f"{start}{on_resource} with an explicit deny in an identity-based policy"
    if "Allow" not in effects:
        return f"{start}{on_resource} because no identity-based policy allows the {action} action"
    return None


def access_denied(facts: RequestFacts, message: str) -> tuple[str, list[tuple[str, str]], bytes]:
    """AccessDenied in the words of the request's protocol: status line, headers, body."""
    request_id = str(uuid.uuid4())
    if facts.protocol == "query":
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
            f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return "403 Forbidden", [("Content-Type", "text/xml")], body.encode()
    if facts.protocol == "rest-xml":
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code>'
            f"<Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
        )
        return "403 Forbidden", [("Content-Type", "application/xml")], body.encode()
    if facts.protocol == "rest-json":
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", "AccessDeniedException")]
        return "403 Forbidden", headers, json.dumps({"Message": message}).encode()
    code, status = "AccessDeniedException", "400 Bad Request"
    if facts.service == "sqs":
        of_key = " perform: kms:" in message
        code, status = ("KMS.AccessDeniedException", status) if of_key else ("AccessDenied", "403 Forbidden")
    body = json.dumps({"__type": code, "message": message, "Message": message})
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-query-error", f"{code};Sender")]
    return status, headers, body.encode()
