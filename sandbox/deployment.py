"""`sam build`, `sam package` and `sam deploy` in one, against the sandbox's own S3 and CloudFormation.

What is applied are `infra/aws/bucket.yaml` and `infra/aws/template.yaml` themselves, so what runs here is what deploys;
only the pinned dependencies stay out of the artefact, because the sandbox's interpreter has them.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]  # ships no types
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]  # ships no types
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]  # ships no types

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_cloudformation import CloudFormationClient

ARTEFACT_BUCKET = "rollcall-artefacts"
REPOSITORY = Path(__file__).resolve().parent.parent
TEMPLATE = REPOSITORY / "infra" / "aws" / "template.yaml"
BUCKET_TEMPLATE = REPOSITORY / "infra" / "aws" / "bucket.yaml"
MEMBER_TEMPLATE = REPOSITORY / "infra" / "aws" / "member-roles.yaml"
_SOURCES = ("lambdas", "shared")
_LEFT_OUT = {"Makefile", "requirements.txt"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can hold


class DeploymentError(Exception):
    """The stack was not created; the message has CloudFormation's own reasons."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A stack that exists. `outputs` are the template's outputs, `bucket` holds code, policy and templates."""

    stack_id: str
    stack_name: str
    bucket: str
    outputs: Mapping[str, str]


def build_artefact(root: Path = REPOSITORY) -> bytes:
    """The zip archive of `lambdas` and `shared`, as `lambdas/Makefile` lays it out; equal for equal sources."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in _SOURCES:
            for path in sorted((root / folder).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts and path.name not in _LEFT_OUT:
                    entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EPOCH)
                    entry.external_attr = 0o644 << 16
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(entry, path.read_bytes())
    return stream.getvalue()


@cache
def _read(template: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse(template)
    return found


def transform(session: boto3.Session, template: str, *, bucket: str, key: str) -> dict[str, Any]:
    """The CloudFormation template that a SAM template stands for, its code at `bucket`/`key`.

    Every function and layer of one SAM template shares the artefact. Managed policies by name are not
    looked up: the template uses none.
    """
    sam = copy.deepcopy(_read(template))  # which the translator changes
    code = {"Bucket": bucket, "Key": key}
    sections = [sam.get("Globals", {}).get("Function", {})]
    sections += [
        resource["Properties"]
        for resource in sam["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    ]
    for section in sections:
        if "CodeUri" in section:
            section["CodeUri"] = dict(code)
    translator = Translator({}, Parser(), boto_session=session)
    transformed: dict[str, Any] = translator.translate(sam, parameter_values={})
    translator.metrics.publish()  # to nowhere; it complains when it is not asked
    return transformed


def deploy(  # noqa: PLR0913 - keywords, as `sam deploy` has options
    session: boto3.Session,
    endpoint_url: str,
    *,
    policy: Path | bytes,
    parameters: Mapping[str, str],
    template: Path = TEMPLATE,
    member_template: Path = MEMBER_TEMPLATE,
    root: Path = REPOSITORY,
    stack_name: str = "rollcall",
    timeout_seconds: float = 60,
) -> Deployment:
    """Creates the bucket's stack, then the stack itself, and waits for it.

    `parameters` are the template's; PolicyBucket, PolicyKey and MemberTemplateUrl are filled in unless given.

    Raises:
        DeploymentError: CloudFormation refused the template or rolled the stack back.
    """
    s3 = session.client("s3", endpoint_url=endpoint_url)
    cloudformation = session.client("cloudformation", endpoint_url=endpoint_url)
    deadline = time.monotonic() + timeout_seconds
    bucket = make_bucket(cloudformation, stack_name=f"{stack_name}-bucket", deadline=deadline)

    def upload(key: str, body: bytes) -> str:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
        return f"https://{bucket}.s3.{session.region_name}.amazonaws.com/{key}"

    artefact = build_artefact(root)
    code_key = hashlib.sha256(artefact).hexdigest() + ".zip"
    upload(code_key, artefact)
    upload("policy.yaml", policy if isinstance(policy, bytes) else policy.read_bytes())
    given = {
        "PolicyBucket": bucket,
        "PolicyKey": "policy.yaml",
        "MemberTemplateUrl": upload("member-roles.yaml", member_template.read_bytes()),
        **parameters,
    }
    body = transform(session, template.read_text(encoding="utf-8"), bucket=bucket, key=code_key)
    try:
        stack_id = cloudformation.create_stack(
            StackName=stack_name,
            TemplateURL=upload("template.json", json.dumps(body).encode()),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )["StackId"]
    except ClientError as error:
        raise DeploymentError(f"stack {stack_name} was refused: {error}") from error
    outputs = _wait(cloudformation, stack_id, deadline)
    return Deployment(stack_id=stack_id, stack_name=stack_name, bucket=bucket, outputs=outputs)


def make_bucket(cloudformation: CloudFormationClient, *, stack_name: str, deadline: float) -> str:
    """Creates the stack of the bucket that all else lies in; returns the bucket's name."""
    stack_id = cloudformation.create_stack(
        StackName=stack_name,
        TemplateBody=BUCKET_TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": "BucketName", "ParameterValue": ARTEFACT_BUCKET}],
    )["StackId"]
    return _wait(cloudformation, stack_id, deadline)["BucketName"]


def _wait(cloudformation: CloudFormationClient, stack_id: str, deadline: float) -> dict[str, str]:
    """The outputs of a stack that reached CREATE_COMPLETE."""
    while True:
        stack = cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]
        status = stack["StackStatus"]
        if status == "CREATE_COMPLETE":
            return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            reasons = _reasons(cloudformation, stack_id) or [stack.get("StackStatusReason", "no reason given")]
            raise DeploymentError(f"stack {stack['StackName']} is {status}: {'; '.join(reasons)}")
        time.sleep(0.2)


def _reasons(cloudformation: CloudFormationClient, stack_id: str) -> list[str]:
    """Why each resource failed, oldest first."""
    events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return [
        f"{event.get('LogicalResourceId')} ({event.get('ResourceType')}): {event['ResourceStatusReason']}"
        for event in reversed(events)
        if event.get("ResourceStatus", "").endswith("_FAILED") and event.get("ResourceStatusReason")
    ]
