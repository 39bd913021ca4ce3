"""What infra/azure says fits together: modules, names, properties that Microsoft's packages know."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azure_module import (
    FILES,
    MODULE,
    Resource,
    modules,
    of_kind,
    parameters,
    parsed,
    resources,
    the,
    words,
)

KNOWN = json.loads((Path(__file__).parents[1] / "fixtures" / "bicep" / "sdk_properties.json").read_text("utf-8"))
BICEPS_OWN = {"dependsOn", "name", "parent", "scope"}
# Of these no package of Microsoft's has a model; the properties are those of Microsoft's own samples.
WITHOUT_PACKAGE = {"Microsoft.Insights/diagnosticSettings"}
VERSIONS = {
    "Microsoft.Authorization/roleAssignments": "2022-04-01",
    "Microsoft.Authorization/roleDefinitions": "2022-04-01",
    "Microsoft.Insights/actionGroups": "2023-01-01",
    "Microsoft.Insights/components": "2020-02-02",
    "Microsoft.Insights/scheduledQueryRules": "2023-12-01",
    "Microsoft.Insights/workbooks": "2023-06-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "2024-11-30",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": "2024-11-30",
    "Microsoft.Network/privateDnsZones": "2024-06-01",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "2024-06-01",
}
"""Types whose package speaks the very version that is asked for; of the others it speaks a later one."""


def text(file: str) -> str:
    """A file without its comments and descriptions."""
    source = re.sub(r"^@description\(.*\)$", "", (MODULE / file).read_text("utf-8"), flags=re.MULTILINE)
    return re.sub(r"(^|\s)//.*$", "", source, flags=re.MULTILINE)


def outputs_read(file: str) -> set[tuple[str, str]]:
    """(module, output) wherever a file reads what a module gives."""
    return set(re.findall(r"\b(\w+)!?\.outputs\.(\w+)", text(file)))


@pytest.mark.parametrize("resource", resources(), ids=lambda each: f"{each.file}:{each.name}")
def test_properties_are_those_that_microsofts_packages_know(resource: Resource) -> None:
    if resource.kind in WITHOUT_PACKAGE:
        return
    assert {path for path in resource.paths() - set(KNOWN[resource.kind]) if path not in BICEPS_OWN} == set()


def test_one_version_of_each_type_is_asked_for() -> None:
    asked = {(each.kind, each.api_version) for each in resources()}
    assert len(asked) == len({kind for kind, _ in asked})
    assert {kind: version for kind, version in asked if kind in VERSIONS} == VERSIONS
    services: dict[str, set[str]] = {}
    for kind, version in asked - set(VERSIONS.items()):
        services.setdefault(kind.partition("/")[0], set()).add(version)
    assert {service for service, versions in services.items() if len(versions) > 1} == set()


@pytest.mark.parametrize("file", FILES)
def test_every_module_is_given_its_parameters_and_no_others(file: str) -> None:
    for name, module in modules(file).items():
        wanted = parameters((Path(file).parent / module["path"]).as_posix())
        obligatory = {each for each, body in wanted.items() if body.get("default") is None}
        given = set(module["params"])
        assert obligatory <= given <= set(wanted), name


@pytest.mark.parametrize("file", FILES)
def test_every_output_that_is_read_is_there(file: str) -> None:
    used = modules(file)
    for name, output in outputs_read(file):
        assert output in parsed((Path(file).parent / used[name]["path"]).as_posix())["outputs"], (name, output)


def test_every_module_and_every_output_of_one_is_used() -> None:
    called = {(Path(file).parent / each["path"]).as_posix() for file in FILES for each in modules(file).values()}
    assert set(FILES) - called == {"main.bicep", "tenant-reader.bicep"}
    read = {
        ((Path(file).parent / modules(file)[name]["path"]).as_posix(), output)
        for file in FILES
        for name, output in outputs_read(file)
    }
    given = {(file, output) for file in called for output in parsed(file).get("outputs", {})}
    assert given == read


@pytest.mark.parametrize("file", FILES)
def test_every_parameter_and_variable_is_used_and_every_name_in_a_text_is_declared(file: str) -> None:
    declared = set().union(
        *(parsed(file).get(each, {}) for each in ("parameters", "variables", "resources", "modules"))
    )
    source = text(file)
    for name in {*parameters(file), *parsed(file).get("variables", {})}:
        assert len(re.findall(rf"\b{name}\b", source)) > 1, name
    loops = set(re.findall(r"\bfor (\w+) in\b", source))
    inside = {name for found in re.findall(r"\$\{([^}]+)\}", source) for name in re.findall(r"^\w+", found)}
    assert inside <= declared | loops | {"environment", "subscription"}


def test_what_an_operator_gives_is_explained() -> None:
    for file in ("main.bicep", "connectors.bicep", "tenant-reader.bicep"):
        for name, body in parameters(file).items():
            kinds = {each["type"] for each in body["decorators"]}
            assert "description" in kinds or name == "instanceMemoryMB", name


def test_each_file_is_deployed_where_its_resources_belong() -> None:
    scopes = {file: parsed(file).get("globals", {}).get("scope", {}).get("value", "resourceGroup") for file in FILES}
    assert {file: scope for file, scope in scopes.items() if scope != "resourceGroup"} == {
        "connectors.bicep": "subscription",
        "main.bicep": "subscription",
        "tenant-reader.bicep": "managementGroup",
    }
    for name, module in modules("main.bicep").items():
        assert module.get("scope") == (None if name == "connectors" else "group")


def test_storage_takes_entra_tokens_over_tls_only() -> None:
    accounts = of_kind("Microsoft.Storage/storageAccounts")
    assert len(accounts) == 2
    for each in accounts:
        properties = each.properties
        assert properties["allowSharedKeyAccess"] is properties["allowBlobPublicAccess"] is False
        assert properties["allowCrossTenantReplication"] is False
        assert properties["supportsHttpsTrafficOnly"] is properties["defaultToOAuthAuthentication"] is True
        assert properties["minimumTlsVersion"] == "TLS1_2"
    containers = of_kind("Microsoft.Storage/storageAccounts/blobServices/containers")
    assert {each.properties["publicAccess"] for each in containers} == {"None"}


def test_the_storage_of_the_host_is_private_unless_somebody_says_otherwise() -> None:
    assert parameters("main.bicep")["privateHost"]["default"] is True
    account = the("modules/host-storage.bicep", "account").properties
    public = account["publicNetworkAccess"]["operator"]["operands"]
    assert (public["condition"], public["true_value"], public["false_value"]) == ("isPrivate", "Disabled", "Enabled")
    assert account["networkAcls"]["defaultAction"]["operator"]["operands"]["true_value"] == "Deny"
    endpoint = the("modules/host-storage.bicep", "endpoint")
    assert endpoint.condition == "isPrivate"
    assert endpoint.properties["privateLinkServiceConnections"][0]["properties"]["groupIds"] == ["blob"]
    params = modules("main.bicep")["hostStorage"]["params"]
    assert {"endpointSubnetId", "privateHost"} <= set(words(params["endpointSubnetId"]))
    [subnet, _] = the("modules/network.bicep", "network").properties["subnets"]
    assert subnet["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert "natGateway" in subnet["properties"]


def test_intake_is_reached_over_the_internet_as_lambda_functions_have_no_addresses() -> None:
    assert the("modules/intake-storage.bicep", "account").properties["publicNetworkAccess"] == "Enabled"


def test_nobody_reads_or_writes_logs_with_a_key() -> None:
    assert the("modules/monitoring.bicep", "workspace").properties["features"] == {"disableLocalAuth": True}
    assert the("modules/monitoring.bicep", "insights").properties["DisableLocalAuth"] is True


def test_the_app_runs_python_on_flex_consumption_and_takes_its_package_by_identity() -> None:
    assert the("modules/function-app.bicep", "plan").body["sku"] == {"name": "FC1", "tier": "FlexConsumption"}
    app = the("modules/function-app.bicep", "app").properties
    configured = app["functionAppConfig"]
    assert configured["runtime"] == {"name": "python", "version": "3.13"}
    assert configured["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    assert configured["scaleAndConcurrency"]["maximumInstanceCount"] == "maximumInstanceCount"
    assert (app["httpsOnly"], app["siteConfig"]["minTlsVersion"]) == (True, "1.2")
    bounds = {each["type"]: each["argument"] for each in parameters("main.bicep")["maximumInstanceCount"]["decorators"]}
    assert (bounds["min_value"], bounds["max_value"]) == (40, 1000)  # Flex Consumption's own
    policies = of_kind("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {(each.body["name"], each.properties["allow"]) for each in policies} == {("ftp", False), ("scm", False)}


def test_the_scopes_of_a_diagnostic_setting_are_all_that_keep_logs() -> None:
    watched: dict[str, Any] = {
        f"{each.file}:{each.body['scope']}": {log["category"] for log in each.properties["logs"]}
        for each in of_kind("Microsoft.Insights/diagnosticSettings")
    }
    changes = {"StorageWrite", "StorageDelete"}
    assert watched == {
        "modules/function-app.bicep:app": {"FunctionAppLogs"},
        "modules/host-storage.bicep:blobs": changes,
        "modules/intake-storage.bicep:blobService": changes,
        "modules/intake-storage.bicep:queueService": {*changes, "StorageRead"},
        "modules/intake-storage.bicep:tableService": changes,
        "modules/monitoring.bicep:workspace": {"Audit"},
        "modules/notify-vault.bicep:vault": {"AuditEvent"},
    }
