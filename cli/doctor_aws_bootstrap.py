"""AWS's side for `rollcall doctor`, as the AWS credentials of this shell. See `bootstrap`."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from cli import bootstrap
from cli.template_files import OWN, read_template_file
from shared.adapters.template.check import check_template
from shared.adapters.template.roles import read_role_template
from shared.application.doctor.aws import FUNCTIONS, LookAtAws
from shared.application.doctor.aws_ports import AwsNames, AwsSide
from shared.application.doctor.examine import Question
from shared.application.doctor.lambdas import function_questions
from shared.application.ports import PolicySource
from shared.domain.doctor.policy_checks import scan_role
from shared.domain.policy import Policy
from shared.domain.profiles import Profile
from shared.domain.template_findings import LintReport
from shared.errors import ConfigurationError, PermanentError, RollcallError

if TYPE_CHECKING:
    from shared.adapters.aws.deployed_parts import AwsParts

_INVOKED_SECONDS = 75.0


@cache
def _client(service: Any) -> Any:
    import boto3

    return boto3.client(service, region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config())


def questions(policies: PolicySource) -> list[Question]:
    """What is looked at there, and what the Lambda functions say of themselves."""
    from shared.adapters.aws.function_answers import LambdaFunctions

    identity, stack = identity_of_caller(), bootstrap.settings().stack_name
    names = [f"{stack}-{function}" for function in FUNCTIONS.values()]
    asked = function_questions(LambdaFunctions(_client("lambda")), names, identity)
    return [*side(policies).questions(identity), *(_slow(each, _INVOKED_SECONDS) for each in asked)]


def _slow(question: Question, seconds: float) -> Question:
    return Question(checks=question.checks, ask=question.ask, checked_as=question.checked_as, seconds=seconds)


def side(policies: PolicySource) -> LookAtAws:
    """One look, through which `--fix` mends, too."""
    from shared.adapters.aws.account_identity import IamIdentities
    from shared.adapters.aws.management_account import AwsManagementAccount
    from shared.adapters.aws.stack_set_settings import NamedStacks, StackSetDelegations, StackSetSettings
    from shared.adapters.aws.template_bucket import S3TemplateBucket

    chosen, parts = bootstrap.settings(), _parts()
    bucket, _, key = (chosen.publish.s3 or "").removeprefix("s3://").partition("/")
    return LookAtAws(
        AwsSide(
            account=AwsManagementAccount(
                _client("sts"), _client("iam"), _client("organizations"), _client("cloudformation")
            ),
            delegations=StackSetDelegations(_client("organizations")),
            identities=IamIdentities(lambda _: _client("iam")),
            stack_sets=StackSetSettings(_client("cloudformation")),
            stacks=NamedStacks(_client("cloudformation")),
            parts=parts,
            mender=parts,
            bucket=S3TemplateBucket(
                _client("s3"), bucket=bucket, key=key, region=bootstrap.BUS_REGION, owner=bootstrap.bucket_owner
            )
            if bucket
            else None,
            policy=policies,
            lint=_lint,
            names=AwsNames(
                stack=chosen.stack_name,
                stack_set=chosen.stack_set_name,
                management_stack=chosen.management_stack_name,
            ),
        )
    )


def _parts() -> AwsParts:
    from shared.adapters.aws.deployed_parts import AwsParts, PartClients

    clients = PartClients(
        cloudformation=_client("cloudformation"),
        events=_client("events"),
        sqs=_client("sqs"),
        lambda_=_client("lambda"),
        scheduler=_client("scheduler"),
        s3=_client("s3"),
        iam=_client("iam"),
    )
    return AwsParts(clients, stack_name=bootstrap.settings().stack_name)


def _lint(content: bytes, profile: Profile, tenant: str) -> LintReport:
    from shared.adapters.policy.yaml_tree import UnreadableError

    try:
        return check_template(content, read_template_file(OWN), profile, tenant)
    except UnreadableError as error:
        raise PermanentError(f"the StackSet's template cannot be read: {error.problem.message}") from error


@cache
def identity_of_caller() -> str:
    """The ARN of whose credentials these are; in general words where AWS does not say."""
    from shared.adapters.aws.errors import translated

    try:
        with translated("ask AWS who you are"):
            return str(_client("sts").get_caller_identity()["Arn"])
    except RollcallError:
        return "your AWS credentials"


def deployed_scan_role(policy: Policy) -> str:
    """The name of Defender's scanning role in the template that is deployed, as the default profile has it.

    Raises TransientError, PermanentError, ConfigurationError.
    """
    from shared.adapters.aws.stack_set_settings import StackSetSettings
    from shared.adapters.policy.yaml_tree import UnreadableError

    name = bootstrap.settings().stack_set_name
    seen = StackSetSettings(_client("cloudformation")).find(name)
    if seen is None:
        raise ConfigurationError(f"there is no StackSet {name}", setting="ROLLCALL_STACK_SET_NAME")
    parameters = policy.default_profile.stack_parameters() | {"TenantId": policy.tenant_id}
    try:
        return scan_role(read_role_template(seen.template.encode(), parameters))
    except UnreadableError as error:
        raise PermanentError(f"the StackSet's template cannot be read: {error.problem.message}") from error
