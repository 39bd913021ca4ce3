"""AWS's side: StackSets' access, the bucket, artefacts by their hashes, the stack of the functions, hub and readers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import operator_shell, outputs
from deploy.aws_account import REGION, Organization, check_account
from deploy.change_sets import Stack, change, outputs_of
from deploy.feeds import Place, combined, fed, given
from deploy.programs import act, ask, say, show
from deploy.refusal import RefusedError
from deploy.sam_template import functions, packaged
from deploy.settings import Aws, Settings

BUCKET_STACK, HUB_STACK = "rollcall-bucket", "rollcall-reader-hub"
_MEMBER_TEMPLATE, _READER_TEMPLATE = "member-roles.yaml", Path("infra", "aws", "reader-role.yaml")
_ABSENT = ("404",)


def deploy(root: Path, settings: Settings, *, apply: bool, replace: bool) -> None:
    """Shows AWS's change sets; with `apply` carries them out. Raises RefusedError."""
    aws, from_azure = settings.need_aws(), outputs.kept(root, outputs.Step.AZURE)
    said = given(settings)
    main_inputs = combined(Place.TEMPLATE, _of_main(aws, from_azure), said[Place.TEMPLATE])
    organization = check_account(aws)
    reader = _in_bucket(aws, f"deploy/reader-role-{_digest(root / _READER_TEMPLATE)[:12]}.yaml")
    hub_inputs = combined(Place.HUB, _of_hub(aws, from_azure, organization, reader), said[Place.HUB])
    code = _artefacts(root, aws)
    _activate_access(apply=apply)
    if not _bucket(root, aws, apply=apply, replace=replace):
        say(f"{aws.stack}, {HUB_STACK}: what would be changed is shown once the bucket is there")
        return
    template = outputs.write(root, "template.yaml", packaged(_template(root), code))
    if apply:
        for name, place in code.items():
            _upload(root / "build" / f"{name}.zip", place)
        # For the first StackSet only: after it `rollcall template publish` brings new ones, checked, to all accounts.
        _upload(root / aws.member_template, _in_bucket(aws, _MEMBER_TEMPLATE))
        _upload(root / _READER_TEMPLATE, reader)
    stacks = (
        Stack(name=aws.stack, template=template, parameters=_texts(main_inputs), bucket=aws.bucket_name),
        Stack(name=HUB_STACK, template=root / Place.HUB, parameters=_texts(hub_inputs), bucket=aws.bucket_name),
    )
    made = [change(each, apply=apply, replace=replace) for each in stacks]
    outputs.keep(root, outputs.Step.AWS, {name: value for each in made for name, value in (each or {}).items()})
    operator_shell.write(root, settings)


def _of_main(aws: Aws, from_azure: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **fed(Place.TEMPLATE, outputs.Step.AZURE, from_azure),
        "PolicyBucket": aws.bucket_name,
        "MemberTemplateUrl": _https(_in_bucket(aws, _MEMBER_TEMPLATE)),
    }


def _of_hub(aws: Aws, from_azure: Mapping[str, Any], organization: Organization, reader: str) -> dict[str, Any]:
    return {
        **fed(Place.HUB, outputs.Step.AZURE, from_azure),
        "OrganizationId": organization.organization_id,
        "OrganizationRootId": organization.root_id,
        "ReaderTemplateUrl": _https(reader),
        "StackName": aws.stack,
    }


def _template(root: Path) -> str:
    return (root / Place.TEMPLATE).read_text(encoding="utf-8")


def _texts(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in inputs.items()}


def _in_bucket(aws: Aws, key: str) -> str:
    return f"s3://{aws.bucket_name}/{key}"


def _https(address: str) -> str:
    """As CloudFormation wants the address of a template."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return f"https://{bucket}.s3.{REGION}.amazonaws.com/{key}"


def _activate_access(*, apply: bool) -> None:
    """CloudFormation itself has to activate StackSets' access to the organization."""
    called = ("aws", "cloudformation")
    if ask(*called, "describe-organizations-access", "--region", REGION, "--output", "json")["Status"] == "ENABLED":
        return
    if apply:
        act(*called, "activate-organizations-access", "--region", REGION)
    else:
        say("would activate CloudFormation's access to the organization")


def _bucket(root: Path, aws: Aws, *, apply: bool, replace: bool) -> bool:
    """Makes the bucket, or leaves one as it is that somebody else made; False where it is not there yet."""
    called = ("aws", "s3api", "head-bucket", "--bucket", aws.bucket_name, "--region", REGION, "--output", "json")
    is_there = ask(*called, unless=_ABSENT) is not None
    if is_there and outputs_of(BUCKET_STACK) is None:
        say(f"{aws.bucket_name}: there, and not of {BUCKET_STACK}: stays as it is")
        return True
    stack = Stack(name=BUCKET_STACK, template=root / Place.BUCKET, parameters={"BucketName": aws.bucket})
    change(stack, apply=apply, replace=replace)
    return is_there or apply


def _artefacts(root: Path, aws: Aws) -> dict[str, str]:
    """Where each function's code lies, or is to lie, by its SHA-256."""
    code: dict[str, str] = {}
    for name in functions(_template(root)):
        path = root / "build" / f"{name}.zip"
        if not path.exists():
            raise RefusedError(f"there is no {path.relative_to(root)}", remedy="Run `make build`.")
        code[name] = _in_bucket(aws, f"artefacts/{_digest(path)}.zip")
        say(f"{name}.zip sha256:{_digest(path)}")
    return code


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _upload(path: Path, address: str) -> None:
    """Brings a file to a place where there is none yet."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    head = ("aws", "s3api", "head-object", "--bucket", bucket, "--key", key, "--region", REGION)
    if ask(*head, unless=_ABSENT) is None:
        show("aws", "s3", "cp", str(path), address, "--region", REGION, "--only-show-errors", told=True)
