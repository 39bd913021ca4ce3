"""AWS's side: StackSets' access, the bucket, artefacts by their hashes, the stack of the functions, hub and readers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import operator_shell, outputs
from deploy.aws_account import REGION, Organization, check_account
from deploy.bucket import digest, https, in_bucket, is_there, upload
from deploy.change_sets import Stack, change
from deploy.feeds import Place, combined, fed, given
from deploy.programs import act, ask, say
from deploy.readers import say_failed
from deploy.refusal import RefusedError
from deploy.sam_template import functions, packaged
from deploy.settings import Aws, Settings
from deploy.stacks import outputs_of

BUCKET_STACK, HUB_STACK = "rollcall-bucket", "rollcall-reader-hub"
_MEMBER_TEMPLATE, _READER_TEMPLATE = "member-roles.yaml", Path("infra", "aws", "reader-role.yaml")


def deploy(root: Path, settings: Settings, *, apply: bool, replace: bool) -> None:
    """Shows AWS's change sets; with `apply` carries them out. Raises RefusedError."""
    aws, from_azure = settings.need_aws(), outputs.kept(root, outputs.Step.AZURE)
    said = given(settings)
    main_inputs = combined(Place.TEMPLATE, _of_main(aws, from_azure), said[Place.TEMPLATE])
    organization = check_account(aws)
    reader = f"artefacts/reader-role-{digest(root / _READER_TEMPLATE)}.yaml"
    hub_inputs = combined(Place.HUB, _of_hub(aws, from_azure, organization, reader), said[Place.HUB])
    code = _artefacts(root)
    _activate_access(apply=apply)
    if not _bucket(root, aws, apply=apply, replace=replace):
        say(f"{aws.stack}, {HUB_STACK}: what would be changed is shown once the bucket is there")
        return
    places = {name: in_bucket(aws, key) for name, key in code.items()}
    template = outputs.write(root, "template.yaml", packaged(_template(root), places))
    if apply:
        for name, key in code.items():
            upload(aws, root / "build" / f"{name}.zip", key)
        # For the first StackSet only: after it `rollcall template publish` brings new ones, checked, to all accounts.
        upload(aws, root / aws.member_template, _MEMBER_TEMPLATE, once=True)
        upload(aws, root / _READER_TEMPLATE, reader)
    stacks = (
        Stack(name=aws.stack, template=template, parameters=_texts(main_inputs), bucket=aws.bucket_name),
        Stack(name=HUB_STACK, template=root / Place.HUB, parameters=_texts(hub_inputs), bucket=aws.bucket_name),
    )
    made = [change(each, apply=apply, replace=replace) for each in stacks]
    if apply:
        say_failed()
    outputs.keep(root, outputs.Step.AWS, {name: value for each in made for name, value in (each or {}).items()})
    operator_shell.write(root, settings)


def _of_main(aws: Aws, from_azure: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **fed(Place.TEMPLATE, outputs.Step.AZURE, from_azure),
        "PolicyBucket": aws.bucket_name,
        "MemberTemplateUrl": https(in_bucket(aws, _MEMBER_TEMPLATE)),
    }


def _of_hub(aws: Aws, from_azure: Mapping[str, Any], organization: Organization, reader: str) -> dict[str, Any]:
    return {
        **fed(Place.HUB, outputs.Step.AZURE, from_azure),
        "OrganizationId": organization.organization_id,
        "OrganizationRootId": organization.root_id,
        "ReaderTemplateUrl": https(in_bucket(aws, reader)),
        "StackName": aws.stack,
    }


def _template(root: Path) -> str:
    return (root / Place.TEMPLATE).read_text(encoding="utf-8")


def _texts(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in inputs.items()}


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
    there = is_there(aws)
    if there and outputs_of(BUCKET_STACK) is None:
        say(f"{aws.bucket_name}: there, and not of {BUCKET_STACK}: stays as it is")
        return True
    stack = Stack(name=BUCKET_STACK, template=root / Place.BUCKET, parameters={"BucketName": aws.bucket})
    change(stack, apply=apply, replace=replace)
    return there or apply


def _artefacts(root: Path) -> dict[str, str]:
    """The key under which each function's code lies, or is to lie, by its SHA-256."""
    code: dict[str, str] = {}
    for name in functions(_template(root)):
        path = root / "build" / f"{name}.zip"
        if not path.exists():
            raise RefusedError(f"there is no {path.relative_to(root)}", remedy="Run `make build`.")
        code[name] = f"artefacts/{digest(path)}.zip"
        say(f"{name}.zip sha256:{digest(path)}")
    return code
