"""Which resource a request names, as IAM is asked about it. Source: Service Authorization Reference, resource types."""

from __future__ import annotations

from collections.abc import Callable

from moto.cloudformation.models import cloudformation_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.organizations.models import organizations_backends

from sandbox.aws.active import PARTITION, active
from sandbox.aws.policy_conditions import as_list
from sandbox.aws.request_facts import RequestFacts

_OF_ORGANIZATIONS = ("AccountId", "ChildId", "OrganizationalUnitId", "ParentId", "ResourceId")
_OF_ONE_STACK = {"DescribeStacks", "GetTemplate"}


def resource_of(facts: RequestFacts, account_id: str) -> str | None:
    """The ARN of what a request of that account plainly names; None where it names nothing, or nothing plainly."""
    named = _NAMED.get(facts.service)
    return named(facts, account_id) if named is not None else None


def _queue(facts: RequestFacts, account_id: str) -> str | None:
    if "QueueUrl" not in facts.parameters:
        return None
    owner, name = facts.parameters["QueueUrl"].rstrip("/").rsplit("/", 2)[-2:]
    return f"arn:aws:sqs:{facts.region}:{owner}:{name}"


def _object(facts: RequestFacts, account_id: str) -> str | None:
    given = facts.parameters
    key = f"/{given['Key']}" if "Key" in given else ""
    return f"arn:aws:s3:::{given['Bucket']}{key}" if "Bucket" in given else None


def _bus(facts: RequestFacts, account_id: str) -> str | None:
    buses = {entry.get("EventBusName", "default") for entry in as_list(facts.parameters.get("Entries"))}
    if facts.operation != "PutEvents" or len(buses) != 1:
        return None
    return f"arn:aws:events:{facts.region}:{account_id}:event-bus/{buses.pop()}"


def _assumed(facts: RequestFacts, account_id: str) -> str | None:
    return facts.parameters.get("RoleArn") if facts.operation == "AssumeRole" else None


def _identity(facts: RequestFacts, account_id: str) -> str | None:
    given = facts.parameters
    role = f"arn:aws:iam::{account_id}:role/{given['RoleName']}" if "RoleName" in given else None
    return given.get("OpenIDConnectProviderArn") or role


def _stack_or_set(facts: RequestFacts, account_id: str) -> str | None:
    given = facts.parameters
    if "StackSetName" in given:
        for stack_set in active().stack_sets.of(account_id, facts.region):
            if given["StackSetName"] in {stack_set.name, stack_set.id, stack_set.arn}:
                return stack_set.arn
    elif facts.operation in _OF_ONE_STACK and "StackName" in given:
        return _stack_arn(given["StackName"], account_id, facts.region)
    return None


def _stack_arn(name_or_id: str, account_id: str, region: str) -> str:
    """A stack's ARN; of a name that no stack has, as IAM is asked about it."""
    if name_or_id.startswith("arn:"):
        return name_or_id
    named = [each for each in cloudformation_backends[account_id][region].stacks.values() if each.name == name_or_id]
    return named[0].stack_id if named else f"arn:aws:cloudformation:{region}:{account_id}:stack/{name_or_id}/*"


def _in_organization(facts: RequestFacts, account_id: str) -> str | None:
    """An account, a unit or a root of the organization that the caller manages or is in."""
    named = [facts.parameters[each] for each in _OF_ORGANIZATIONS if each in facts.parameters]
    management, _ = organizations_backends.master_accounts.get(account_id, (DEFAULT_ACCOUNT_ID, PARTITION))
    org = organizations_backends[management][PARTITION].org
    if not named or org is None:
        return None
    kind = "ou" if named[0].startswith("ou-") else "root" if named[0].startswith("r-") else "account"
    return f"arn:aws:organizations::{management}:{kind}/{org.id}/{named[0]}"


_NAMED: dict[str, Callable[[RequestFacts, str], str | None]] = {
    "cloudformation": _stack_or_set,
    "events": _bus,
    "iam": _identity,
    "organizations": _in_organization,
    "s3": _object,
    "sqs": _queue,
    "sts": _assumed,
}
