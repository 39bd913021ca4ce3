"""`python -m deploy STEP [--apply] [--replace]`, as `make deploy-STEP [APPLY=1] [REPLACE=1]` calls it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy import aws, azure, federation, gcp
from deploy.outputs import Step, kept
from deploy.programs import say
from deploy.refusal import RefusedError
from deploy.settings import read_settings


def main(arguments: list[str]) -> int:
    """1 where the step went no further."""
    parser = argparse.ArgumentParser(prog="deploy", description=__doc__)
    parser.add_argument("step", choices=[*Step])
    parser.add_argument("--apply", action="store_true", help="change the cloud; left out, only say what would change")
    parser.add_argument("--replace", action="store_true", help="also where resources would be deleted or replaced")
    parser.add_argument("--ready", action="store_true", help="only see whether files and earlier steps are there")
    given = parser.parse_args(arguments)
    try:
        if given.ready:
            see_ready(Path.cwd(), Step(given.step))
            return 0
        run(Path.cwd(), Step(given.step), apply=given.apply, replace=given.replace)
    except RefusedError as error:
        sys.stdout.flush()
        print(f"deploy {given.step}: {error}", file=sys.stderr)
        return 1
    if not given.apply:
        say(f"nothing that is deployed was changed; `make deploy-{given.step} APPLY=1` does it")
    return 0


def see_ready(root: Path, step: Step) -> None:
    """What can be refused before the artefacts are built, which takes a minute. Raises RefusedError."""
    settings = read_settings(root)
    if step is Step.AWS:
        settings.need_aws()
        kept(root, Step.AZURE)


def run(root: Path, step: Step, *, apply: bool, replace: bool) -> None:
    """One step. Raises RefusedError."""
    settings = read_settings(root)
    match step:
        case Step.FEDERATION:
            federation.deploy(root, settings, apply=apply)
        case Step.AZURE:
            azure.deploy(root, settings, apply=apply)
        case Step.AWS:
            aws.deploy(root, settings, apply=apply, replace=replace)
        case Step.GCP:
            gcp.deploy(root, settings, apply=apply, replace=replace)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
