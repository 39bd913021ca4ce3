"""`.deploy/operator.env`: the settings with which an operator's shell works on what is deployed."""

from __future__ import annotations

import shlex
from pathlib import Path

from deploy import outputs
from deploy.aws_account import REGION
from deploy.feeds import Place, fed, given
from deploy.programs import say
from deploy.settings import Settings

_FILE = "operator.env"


def write(root: Path, settings: Settings) -> None:
    """Writes the file; `. .deploy/operator.env` takes it into a shell."""
    names = fed(Place.SHELL, outputs.Step.AZURE, outputs.kept(root, outputs.Step.AZURE))
    aws, said = settings.aws, given(settings)
    if aws is not None:
        key = said[Place.TEMPLATE].get("PolicyKey", "policy.yaml")
        names |= {
            "AWS_REGION": REGION,
            "ROLLCALL_PUBLISH__S3": f"s3://{aws.bucket_name}/{key}",
            "ROLLCALL_STACK_NAME": aws.stack,
        }
        for setting, name in (
            ("ROLLCALL_STACK_SET_NAME", "StackSetName"),
            ("ROLLCALL_MANAGEMENT_STACK_NAME", "ManagementStackName"),
        ):
            if name in said[Place.TEMPLATE]:
                names[setting] = said[Place.TEMPLATE][name]
    text = "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in sorted(names.items()))
    path = outputs.write(root, _FILE, text)
    say(f"{path.relative_to(root)}: `. {path.relative_to(root)}` lets `rollcall` work on this deployment")
