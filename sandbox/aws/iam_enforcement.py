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

from moto.cloudformation.models import cloudformation_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.organizations.models import organizations_backends

from sandbox.aws.active import PARTITION, active
from sandbox.aws.callers import Caller
from sandbox.aws.managed_policies import made_by_stacks
from sandbox.aws.policy_conditions import Context, as_list, condition_holds, wildcard_matches
from sandbox.aws.queue_keys import needed_of_roles
from sandbox.aws.request_facts import RequestFacts

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


def action_of(facts: RequestFacts) -> str:
    """The IAM action that a request needs."""
    operation = f"{facts.service}:{facts.operation}"
    return _ACTIONS.get(operation, operation)


def _statements(caller: Caller) -> Iterator[dict[str, Any]]:
    role = caller.role
    if role is None:
        return
    documents = [*role.policies.values()]
    for policy in role.managed_policies.values():
        documents += [version.document for version in policy.versions if version.is_default]
    for document in documents:
        policy_json = json.loads(document) if isinstance(document, str) else document
        yield from as_list(policy_json["Statement"])


def _resource(facts: RequestFacts, account_id: str) -> str | None:
    """The ARN that a request plainly names; None = not evaluated."""
    given = facts.parameters
    if facts.service == "sqs" and "QueueUrl" in given:
        owner, name = given["QueueUrl"].rstrip("/").rsplit("/", 2)[-2:]
        return f"arn:aws:sqs:{facts.region}:{owner}:{name}"
    if facts.service == "s3" and "Bucket" in given:
        key = f"/{given['Key']}" if "Key" in given else ""
        return f"arn:aws:s3:::{given['Bucket']}{key}"
    if facts.service == "organizations" and "AccountId" in given:
        return _account_arn(given["AccountId"])
    if facts.operation == "AssumeRole" and "RoleArn" in given:
        return str(given["RoleArn"])
    return _stack_or_set(facts, account_id) if facts.service == "cloudformation" else None


def _stack_or_set(facts: RequestFacts, account_id: str) -> str | None:
    given = facts.parameters
    if "StackSetName" in given:
        for stack_set in active().stack_sets.of(account_id, facts.region):
            if given["StackSetName"] in {stack_set.name, stack_set.id, stack_set.arn}:
                return stack_set.arn
    elif facts.operation == "GetTemplate" and "StackName" in given:
        return _stack_arn(given["StackName"], account_id, facts.region)
    return None


def _stack_arn(name_or_id: str, account_id: str, region: str) -> str:
    """A stack's ARN; of a name that no stack has, as IAM is asked about it."""
    if name_or_id.startswith("arn:"):
        return name_or_id
    named = [each for each in cloudformation_backends[account_id][region].stacks.values() if each.name == name_or_id]
    return named[0].stack_id if named else f"arn:aws:cloudformation:{region}:{account_id}:stack/{name_or_id}/*"


def _account_arn(member_id: str) -> str | None:
    management, _ = organizations_backends.master_accounts.get(member_id, (DEFAULT_ACCOUNT_ID, PARTITION))
    org = organizations_backends[management][PARTITION].org
    return f"arn:aws:organizations::{management}:account/{org.id}/{member_id}" if org else None


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
    action = action_of(facts)
    if action in _FREE:
        return None
    context = _context(facts, caller)
    needed = [(action, _resource(facts, caller.account_id)), *needed_of_roles(facts)]
    return next((why for each in needed if (why := _refusal(caller, *each, context)) is not None), None)


def refusal_of_role(caller: Caller, action: str, resource: str) -> str | None:
    """Why a role that an AWS service works with may not do this; None where it may."""
    return _refusal(caller, action, resource, {"aws:PrincipalArn": caller.arn, "aws:SecureTransport": "true"})


def _refusal(caller: Caller, action: str, resource: str | None, context: Context) -> str | None:
    effects = {
        statement["Effect"]
        for statement in _statements(caller)
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
