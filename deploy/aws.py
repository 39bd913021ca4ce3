"""AWS's side: StackSets' access, artefacts by their hashes, the stack of the functions, the hub."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import operator_shell, outputs
from deploy.aws_account import REGION, check_account
from deploy.change_sets import Stack, change
from deploy.feeds import Place, combined, fed, given
from deploy.programs import act, ask, say, show
from deploy.refusal import RefusedError
from deploy.sam_template import functions, packaged
from deploy.settings import Aws, Settings

HUB_STACK = "rollcall-reader-hub"
_MEMBER_TEMPLATE = "member-roles.yaml"
_ABSENT = ("404",)


def deploy(root: Path, settings: Settings, *, apply: bool, replace: bool) -> None:
    """Shows AWS's change sets; with `apply` carries them out. Raises RefusedError."""
    aws, from_azure = settings.need_aws(), outputs.kept(root, outputs.Step.AZURE)
    said = given(settings)
    organization = check_account(aws)
    _activate_access(apply=apply)
    _need_bucket(aws)
    code = _artefacts(root, aws, apply=apply)
    if apply:
        _upload_member_template(root, aws)
    computed = {
        **fed(Place.TEMPLATE, outputs.Step.AZURE, from_azure),
        "PolicyBucket": aws.bucket,
        "MemberTemplateUrl": f"https://{aws.bucket}.s3.{REGION}.amazonaws.com/{_MEMBER_TEMPLATE}",
    }
    main = Stack(
        name=aws.stack,
        template=outputs.write(root, "template.yaml", packaged(_template(root), code)),
        parameters=_texts(combined(Place.TEMPLATE, computed, said[Place.TEMPLATE])),
        bucket=aws.bucket,
    )
    made = change(main, apply=apply, replace=replace)
    computed = {
        **fed(Place.HUB, outputs.Step.AZURE, from_azure),
        "OrganizationId": organization.organization_id,
        "StackName": aws.stack,
    }
    hub = Stack(
        name=HUB_STACK,
        template=root / Place.HUB,
        parameters=_texts(combined(Place.HUB, computed, said[Place.HUB])),
        bucket=aws.bucket,
    )
    hub_made = change(hub, apply=apply, replace=replace)
    if made is not None and hub_made is not None:
        outputs.keep(root, outputs.Step.AWS, {**made, **hub_made})
    operator_shell.write(root, settings)


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


def _need_bucket(aws: Aws) -> None:
    found = ask(
        "aws", "s3api", "head-bucket", "--bucket", aws.bucket, "--region", REGION, "--output", "json", unless=_ABSENT
    )
    if found is None:
        raise RefusedError(f"there is no bucket {aws.bucket}", remedy="Make it as docs/deploy.md says.")


def _artefacts(root: Path, aws: Aws, *, apply: bool) -> dict[str, str]:
    """Where each function's code lies, by its SHA-256; with `apply` it is brought there."""
    code: dict[str, str] = {}
    for name in functions(_template(root)):
        path = root / "build" / f"{name}.zip"
        if not path.exists():
            raise RefusedError(f"there is no {path.relative_to(root)}", remedy="Run `make build`.")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        say(f"{name}.zip sha256:{digest}")
        code[name] = f"s3://{aws.bucket}/artefacts/{digest}.zip"
        if apply and not _is_there(aws.bucket, f"artefacts/{digest}.zip"):
            show("aws", "s3", "cp", str(path), code[name], "--region", REGION, "--only-show-errors", told=True)
    return code


def _upload_member_template(root: Path, aws: Aws) -> None:
    """For the first StackSet only: after it `rollcall template publish` brings new ones, checked, to all accounts."""
    if not _is_there(aws.bucket, _MEMBER_TEMPLATE):
        source, target = str(root / aws.member_template), f"s3://{aws.bucket}/{_MEMBER_TEMPLATE}"
        show("aws", "s3", "cp", source, target, "--region", REGION, "--only-show-errors", told=True)


def _is_there(bucket: str, key: str) -> bool:
    return (
        ask("aws", "s3api", "head-object", "--bucket", bucket, "--key", key, "--region", REGION, unless=_ABSENT)
        is not None
    )
