"""Azure's side: resource providers, Entra applications, infra/azure, Reader at the tenant root, the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deploy import operator_shell, outputs
from deploy.feeds import Place, combined, fed, given
from deploy.programs import act, ask, need, say, show, signed_in
from deploy.refusal import RefusedError
from deploy.settings import Azure, Settings

DEPLOYMENT = "rollcall"
PACKAGE = Path("build", "FunctionApp.zip")
_AS_READER = ("--validation-level", "ProviderNoRbac")
PROVIDERS = (
    *("App", "Insights", "KeyVault", "ManagedIdentity", "Network", "OperationalInsights", "Security", "Storage"),
    "Web",
)


def deploy(root: Path, settings: Settings, *, apply: bool) -> None:
    """Shows Azure's what-if; with `apply` deploys. Raises RefusedError."""
    azure = settings.need_azure()
    said = given(settings)[Place.MAIN]
    _check_sign_in(azure)
    parameters = combined(Place.MAIN, _computed(root, settings), said)
    _register(apply=apply)
    if azure.applications:
        _ensure_applications(settings, said, apply=apply)
    file = outputs.write(root, "azure.parameters.json", _parameters_file(parameters))
    where = ("--name", DEPLOYMENT, "--location", azure.location, "--template-file", str(root / Place.MAIN))
    inputs = ("--parameters", str(file))
    # Whoever only looks need not be one who may write: the pull requests' identity has Reader.
    show("az", "deployment", "sub", "what-if", *where, *inputs, *(() if apply else _AS_READER))
    if apply:
        act("az", "deployment", "sub", "create", *where, *inputs, "--output", "json")
    made = _outputs(root)
    if made is None:
        return
    if azure.tenant_reader:
        _assign_reader(root, azure, made, apply=apply)
    if apply:
        _publish(root, settings, made)
    operator_shell.write(root, settings)


def _check_sign_in(azure: Azure) -> None:
    """Refuses another tenant's or subscription's sign-in: a deployment goes wherever `az` is."""
    need("az")
    found = signed_in(f"Run `az login --tenant {azure.tenant}`.", "az", "account", "show", "--output", "json")
    if found["tenantId"] != azure.tenant:
        raise RefusedError(
            f"az is signed in to tenant {found['tenantId']}, and deploy.toml says {azure.tenant}",
            remedy=f"Run `az login --tenant {azure.tenant}`.",
        )
    if found["id"] != azure.subscription:
        raise RefusedError(
            f"az works in subscription {found['id']}, and deploy.toml says {azure.subscription}",
            remedy=f"Run `az account set --subscription {azure.subscription}`.",
        )
    if found["environmentName"] != "AzureCloud":
        raise RefusedError(
            f"az works in {found['environmentName']}",
            remedy="Rollcall is for public Azure: az cloud set --name AzureCloud",
        )


def _computed(root: Path, settings: Settings) -> dict[str, Any]:
    """What follows from other steps and sections."""
    aws, gcp = settings.aws, settings.gcp
    found: dict[str, Any] = {}
    if aws is not None:
        found |= fed(Place.MAIN, outputs.Step.FEDERATION, outputs.kept(root, outputs.Step.FEDERATION))
        found |= {"awsManagementAccountId": aws.management_account, "awsStackName": aws.stack}
    if gcp is not None:
        found |= {"gcpManagementProjectId": gcp.project, "gcpManagementProjectNumber": gcp.project_number}
    return found


def _parameters_file(parameters: dict[str, Any]) -> str:
    document = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in sorted(parameters.items())},
    }
    return json.dumps(document, indent=2) + "\n"


def _register(*, apply: bool) -> None:
    """Of resource providers those that are not registered are."""
    there = set(
        ask("az", "provider", "list", "--query", "[?registrationState=='Registered'].namespace", "--output", "json")
    )
    for name in (f"Microsoft.{each}" for each in PROVIDERS):
        if name.lower() in {each.lower() for each in there}:
            continue
        if apply:
            act("az", "provider", "register", "--namespace", name, "--wait", "--output", "json")
        else:
            say(f"would register {name}")


def _ensure_applications(settings: Settings, said: dict[str, Any], *, apply: bool) -> None:
    """Applications without secret, whose id URIs the Function App asks tokens for."""
    wanted = {"rollcall-aws": said.get("awsAudience", "api://rollcall-aws")} if settings.aws else {}
    if settings.gcp:
        wanted["rollcall-gcp"] = said.get("gcpTokenResource", "api://rollcall-gcp")
    for name, uri in wanted.items():
        there = ask("az", "ad", "app", "list", "--identifier-uri", uri, "--query", "[].appId", "--output", "json")
        if not apply:
            say(f"{uri}: there" if there else f"would make the Entra application {uri}")
            continue
        if not there:
            made = act(
                *("az", "ad", "app", "create", "--display-name", name), "--identifier-uris", uri, "--output", "json"
            )
            there = [made["appId"]]
        _ensure_principal(there[0])


def _ensure_principal(application: str) -> None:
    """Entra makes tokens for an application of the tenant only where it has a service principal."""
    found = ask(
        "az", "ad", "sp", "list", "--filter", f"appId eq '{application}'", "--query", "[].id", "--output", "json"
    )
    if not found:
        act("az", "ad", "sp", "create", "--id", application, "--output", "json")


def _outputs(root: Path) -> dict[str, Any] | None:
    """What the present deployment gave, kept for the next steps; None, which is said, where it gave nothing."""
    state = f"[?name=='{DEPLOYMENT}'].properties.provisioningState"
    found = ask("az", "deployment", "sub", "list", "--query", state, "--output", "json")
    if not found:
        outputs.forget(root, outputs.Step.AZURE)
        say("not deployed yet: Reader at the tenant root and the package follow with APPLY=1")
        return None
    if found != ["Succeeded"]:  # an earlier one may have succeeded: what is known of it is true still
        say(f"the last deployment is {found[0]}: what is known of one before it stays, APPLY=1 deploys anew")
        return None
    query = ("--query", "properties.outputs", "--output", "json")
    found = ask("az", "deployment", "sub", "show", "--name", DEPLOYMENT, *query)
    made = {name: each["value"] for name, each in found.items()}
    outputs.keep(root, outputs.Step.AZURE, made)
    return made


def _assign_reader(root: Path, azure: Azure, made: dict[str, Any], *, apply: bool) -> None:
    inputs = fed(Place.TENANT_READER, outputs.Step.AZURE, made)
    show(
        *("az", "deployment", "mg", "create" if apply else "what-if", "--management-group-id", azure.tenant),
        *("--name", "rollcall-tenant-reader", "--location", azure.location),
        *("--template-file", str(root / Place.TENANT_READER)),
        *("--parameters", *(f"{name}={value}" for name, value in inputs.items())),
        *(("--output", "none") if apply else _AS_READER),
        told=apply,
    )


def _publish(root: Path, settings: Settings, made: dict[str, Any]) -> None:
    """The built zip as it is: a build in Azure would take other versions."""
    if not (root / PACKAGE).exists():
        raise RefusedError(f"there is no {PACKAGE}", remedy="Run `make build`.")
    group = settings.need_azure().parameters.get("resourceGroupName", "rg-rollcall")
    named = (word for pair in fed(Place.PACKAGE, outputs.Step.AZURE, made).items() for word in pair)
    show(
        *("az", "functionapp", "deployment", "source", "config-zip", "--resource-group", group, *named),
        *("--src", str(root / PACKAGE), "--build-remote", "false", "--output", "none"),
        told=True,
    )
