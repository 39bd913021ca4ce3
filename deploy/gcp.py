"""Google's side: Terraform plans, and applies the plan that was shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy import outputs
from deploy.feeds import Place, combined, fed, given
from deploy.programs import ask, need, say, show
from deploy.refusal import RefusedError
from deploy.settings import Gcp, Settings

_CREDENTIALS = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN")
_NOTHING, _CHANGES = 0, 2  # of `terraform plan -detailed-exitcode`


def deploy(root: Path, settings: Settings, *, apply: bool, replace: bool) -> None:
    """Shows Terraform's plan; with `apply` carries it out. Raises RefusedError."""
    gcp, from_azure = settings.need_gcp(), outputs.kept(root, outputs.Step.AZURE)
    need("terraform")
    _check_sign_in()
    _check_backend(root)
    computed = {
        **fed(Place.GOOGLE, outputs.Step.AZURE, from_azure),
        "organization_id": gcp.organization,
        "management_project_id": gcp.project,
    }
    variables = combined(Place.GOOGLE, computed, given(settings)[Place.GOOGLE])
    file = outputs.write(root, "gcp.tfvars.json", json.dumps(variables, indent=2) + "\n").resolve()
    plan = file.with_name("gcp.tfplan")
    terraform = ("terraform", f"-chdir={root / Place.GOOGLE}")
    show(*terraform, "init", "-input=false")
    planned = show(
        *(*terraform, "plan", "-input=false", "-detailed-exitcode", f"-var-file={file}", f"-out={plan}"),
        good=(_NOTHING, _CHANGES),
    )
    losses = sorted(lost(ask(*terraform, "show", "-json", str(plan))))
    if apply and planned == _CHANGES:
        if losses and not replace:
            raise RefusedError(
                f"{', '.join(losses)} would be deleted or replaced",
                remedy="See the changelog whether that is meant; REPLACE=1 allows it.",
            )
        show(*terraform, "apply", "-input=false", str(plan), told=True)
    made = {name: each["value"] for name, each in ask(*terraform, "output", "-json").items()}
    if made:
        outputs.keep(root, outputs.Step.GCP, made)
        _compare(gcp, made)


def lost(plan: dict[str, Any]) -> Iterator[str]:
    """What a plan deletes, or makes anew in the place of what is there."""
    for each in plan.get("resource_changes", []):
        if "delete" in each["change"]["actions"]:
            yield each["address"]


def _check_sign_in() -> None:
    """Google's provider takes one of these; without any it would say so after a minute of looking."""
    gcloud = Path(os.environ.get("CLOUDSDK_CONFIG", Path.home() / ".config" / "gcloud"))
    if not any(map(os.environ.get, _CREDENTIALS)) and not (gcloud / "application_default_credentials.json").exists():
        raise RefusedError("there are no Google credentials", remedy="Run `gcloud auth application-default login`.")


def _check_backend(root: Path) -> None:
    """A CI job's disk is gone after it, and the state with it."""
    if not (root / Place.GOOGLE / "backend.tf").exists():
        if os.environ.get("CI"):
            raise RefusedError(
                "infra/gcp/backend.tf is not there: Terraform's state would be lost with this computer",
                remedy="Add one, in a bucket where few can write.",
            )
        say("Terraform's state stays in infra/gcp: keep it, or add infra/gcp/backend.tf")


def _compare(gcp: Gcp, made: dict[str, Any]) -> None:
    """Azure's side was told a number beforehand: a wrong one would let nobody in."""
    audience = made.get("function_settings", {}).get("ROLLCALL_GCP__AUDIENCE", "")
    if audience and f"/projects/{gcp.project_number}/" not in audience:
        raise RefusedError(
            f"the provider is {audience}, and deploy.toml says gcp.project_number = {gcp.project_number!r}",
            remedy="Correct it, then `make deploy-azure APPLY=1`.",
        )
