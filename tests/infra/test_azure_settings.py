"""What the Function App reads is what infra/azure sets: settings, queues, tables, containers, who is let in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from functions.settings import Settings
from sandbox.azure.storage import CONTAINERS, QUEUES, TABLES
from sandbox.deployment import REPOSITORY
from sandbox.variables import function_settings
from shared.adapters.ledger.pacing import PACING
from shared.adapters.ledger.parked_bodies import PARKED
from shared.adapters.ledger.sweep_log import SWEEPS
from shared.adapters.ledger.table_ledger import ACCOUNTS, HISTORY
from shared.adapters.settings import read_settings
from tests.infra.aws_templates import load
from tests.infra.azure_module import modules, of_kind, parameters, parsed, the, variable
from tests.infra.gcp_module import resources as google_resources

APP = "modules/function-app.bicep"
TENANT = "12345678-9abc-4ef0-8234-56789abcdef0"
GIVEN = {
    "clientId": "0fedcba9-8765-4321-8fed-cba987654321",
    "connectionString": "InstrumentationKey=00000000-0000-4000-8000-000000000000",
    "hostBlobUri": "https://rollcallhost0.blob.core.windows.net",
    "intakeName": "rollcallintake0",
    "sweepSchedule": "0 0 5 * * *",
    "operatorsAudience": "0fedcba9-8765-4321-8fed-cba987654322",
    "awsManagementAccountId": "111122223333",
    "awsAudience": "api://rollcall-aws",
    "awsStackName": "rollcall",
    "stackSetName": "rollcall-member-roles",
    "readerRole": "rollcall-reader",
    "gcpManagementProjectNumber": "210987654321",
    "gcpManagementProjectId": "mdc-mgmt-proj-123456789012",
    "gcpTokenResource": "api://rollcall-gcp",
    "gcpPushAudience": "rollcall-project-events",
    "environment().suffixes.storage": "core.windows.net",
}
SECTIONS = ("always", "ofAws", "ofGoogle", "ofOperators")
THE_HOSTS = {  # read by the Functions host: the schedule, and the identities of its connections
    "ROLLCALL_QUEUE__CLIENTID",
    "ROLLCALL_QUEUE__CREDENTIAL",
    "ROLLCALL_SWEEP__SCHEDULE",
}
SHARED_WITH_THE_HOST = {"APPLICATIONINSIGHTS_CONNECTION_STRING"}
NOT_SET = {  # public Azure and Google are the only ones that there are, besides a sandbox's
    "ROLLCALL_ARM_ENDPOINT",
    "ROLLCALL_AUTHORITY_HOST",
    "ROLLCALL_GCP__CERTS_URL",
    "ROLLCALL_GCP__ENDPOINT",
}


def names(model: type[BaseModel], prefix: str = "ROLLCALL_") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        nested = [kind for kind in kinds if issubclass(kind, BaseModel)]
        if nested:
            yield from names(nested[0], f"{prefix}{name}__".upper())
        else:
            yield str(field.validation_alias) if field.validation_alias else f"{prefix}{name}".upper()


def value_of(given: Any) -> str:
    """A value of the template for the parameters above."""
    if isinstance(given, dict):
        assert given == {"function": {"type": "tenant", "property_name": "tenantId"}} or "operator" in given, given
        return TENANT
    if given in GIVEN:
        return GIVEN[given]
    if given in parsed(APP)["variables"]:
        return value_of(variable(APP, given))
    return re.sub(r"\$\{([^}]+)\}", lambda found: value_of(found[1]), given)


def environment(*sections: str) -> dict[str, str]:
    return {name: value_of(given) for each in sections for name, given in variable(APP, each).items()}


def settings_of(monkeypatch: pytest.MonkeyPatch, *sections: str) -> Settings:
    for name, value in environment(*sections).items():
        monkeypatch.setenv(name, value)
    return read_settings(Settings)


def test_every_setting_that_the_code_reads_is_set_and_every_one_that_is_set_is_read() -> None:
    ours = [name.upper() for name in environment(*SECTIONS) if name.upper().startswith("ROLLCALL_")]
    assert len(ours) == len(set(ours))
    assert set(ours) == (set(names(Settings)) - NOT_SET - SHARED_WITH_THE_HOST) | THE_HOSTS
    assert environment("always").keys() >= SHARED_WITH_THE_HOST
    assert set(names(Settings)) >= NOT_SET


def test_every_setting_of_the_sandboxs_function_app_is_set_in_azure_too() -> None:
    said = re.findall(r'"((?:ROLLCALL|AzureWebJobs)\w+)"', inspect.getsource(function_settings))
    set_here = {name.upper() for name in environment(*SECTIONS)}
    assert {name for name in said if name.upper() not in set_here | NOT_SET} == set()


def test_the_hosts_own_settings_are_an_identity_and_no_key() -> None:
    others = {name for name in environment(*SECTIONS) if not name.upper().startswith("ROLLCALL_")}
    assert others == {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
        "AzureWebJobsStorage__blobServiceUri",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "PYTHON_ENABLE_OPENTELEMETRY",
    }
    found = environment("always")
    said = found["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]
    assert said == f"ClientId={GIVEN['clientId']};Authorization=AAD"
    assert found["ROLLCALL_QUEUE__credential"] == found["AzureWebJobsStorage__credential"] == "managedidentity"


def test_the_settings_that_are_made_are_settings_of_the_function_app(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings_of(monkeypatch, *SECTIONS)
    assert made.policy == "https://rollcallintake0.blob.core.windows.net/policy/policy.yaml"
    assert made.queue.queueserviceuri == "https://rollcallintake0.queue.core.windows.net"
    assert made.ledger.tableserviceuri == "https://rollcallintake0.table.core.windows.net"
    assert made.sweep is not None
    assert made.sweep.container == "https://rollcallintake0.blob.core.windows.net/sweeps"
    assert made.hub is not None
    assert made.hub.role_arn == "arn:aws:iam::111122223333:role/rollcall-reader-hub"
    assert made.operators is not None
    assert made.operators.audience == GIVEN["operatorsAudience"]
    assert (made.tenant_id, made.client_id) == (TENANT, GIVEN["clientId"])


def test_without_aws_google_and_operators_there_are_no_such_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings_of(monkeypatch, "always")
    assert (made.hub, made.operators, made.gcp) == (
        None,
        None,
        Settings.model_fields["gcp"].get_default(call_default_factory=True),
    )
    operands = [
        each["operator"]["operands"]
        for each in the(APP, "settings").body["properties"]["function"]["parameters"].values()
        if isinstance(each, dict)
    ]
    conditions = {each["false_value"]: each["condition"]["function"]["parameters"]["item_to_test"] for each in operands}
    assert conditions == {
        "ofAws": "awsManagementAccountId",
        "ofGoogle": "gcpManagementProjectNumber",
        "ofOperators": "operatorsAudience",
    }


def test_values_that_are_written_down_are_those_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings_of(monkeypatch, *SECTIONS)
    for name in ("retry", "pacing"):
        assert getattr(made, name) == Settings.model_fields[name].get_default(call_default_factory=True)
    assert made.queue.name == type(made.queue).model_fields["name"].default
    assert made.credential == Settings.model_fields["credential"].default
    defaults = {name: body.get("default") for name, body in parameters("main.bicep").items()}
    fields = {"readerRole": "reader_role", "awsStackName": "stack_name", "stackSetName": "stack_set_name"}
    assert {name: defaults[name] for name in fields} == {
        name: Settings.model_fields[field].default for name, field in fields.items()
    }
    assert made.hub is not None
    assert defaults["awsAudience"] == type(made.hub).model_fields["audience"].default
    assert defaults["gcpTokenResource"] == type(made.gcp).model_fields["token_resource"].default


def named(argument: str) -> set[str]:
    """What the decorators of the functions give an argument."""
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "functions").glob("*.py")]
    return {name for source in sources for name in re.findall(rf'@blueprint\.\w+\(.*\b{argument}="([^"]+)"', source)}


def test_queues_tables_and_containers_are_those_that_the_code_uses() -> None:
    listed = {name: variable("modules/intake-storage.bicep", name) for name in ("queueNames", "tableNames")}
    triggers = named("queue_name")
    assert triggers == {"onboarding", "sweep"}
    assert set(listed["queueNames"]) == triggers | {f"{name}-poison" for name in triggers} == set(QUEUES)
    assert set(listed["tableNames"]) == {ACCOUNTS, HISTORY, PACING, PARKED, SWEEPS} == set(TABLES)
    containers = of_kind("Microsoft.Storage/storageAccounts/blobServices/containers")
    assert {each.body["name"] for each in containers} == {*CONTAINERS, "deploymentContainer"}


def test_google_pushes_to_the_function_that_takes_its_events() -> None:
    endpoint = parsed("main.bicep")["outputs"]["pushEndpoint"]["value"]
    assert endpoint.removeprefix("https://${functionApp.outputs.hostName}/api/") in named("route")


def test_google_s_settings_name_what_infra_gcp_makes() -> None:
    made = {(each.kind.removeprefix("google_"), each.name): each.body for each in google_resources()}
    found = environment("ofGoogle")
    pool = made["iam_workload_identity_pool", "rollcall"]["workload_identity_pool_id"]
    provider = made["iam_workload_identity_pool_provider", "rollcall"]["workload_identity_pool_provider_id"]
    assert found["ROLLCALL_GCP__AUDIENCE"].endswith(f"/workloadIdentityPools/{pool}/providers/{provider}")
    for setting, name in (("SERVICE_ACCOUNT", "rollcall"), ("PUSH_SERVICE_ACCOUNT", "push")):
        account = made["service_account", name]["account_id"]
        project = GIVEN["gcpManagementProjectId"]
        assert found[f"ROLLCALL_GCP__{setting}"] == f"{account}@{project}.iam.gserviceaccount.com"


def test_the_lambda_roles_that_are_trusted_are_those_of_the_aws_template() -> None:
    template = load(REPOSITORY / "infra" / "aws" / "template.yaml")
    functions = [each for each in template["Resources"].values() if each["Type"] == "AWS::Serverless::Function"]
    logical = {each["Properties"]["Role"]["Fn::GetAtt"][0] for each in functions}
    roles = {template["Resources"][name]["Properties"]["RoleName"]["Fn::Sub"] for name in logical}
    trust = the("modules/identities.bicep", "trusts")
    _, _, pattern = trust.properties["subject"].partition(":role/")
    pattern = pattern.replace("${awsStackName}", "${AWS::StackName}")
    lambdas = variable("modules/identities.bicep", "lambdas")
    assert {pattern.replace("${lambda}", each) for each in lambdas} == roles
    assert trust.properties["subject"].startswith("arn:aws:iam::${awsManagementAccountId}:")
    assert (trust.properties["issuer"], trust.body["parent"]) == ("awsIssuer", "sender")
    asked = str(template["Resources"]["AccountEventsRole"]["Properties"]["Policies"])
    [audience] = trust.properties["audiences"]
    assert f"'sts:IdentityTokenAudience': ['{audience}']" in asked


def test_the_hub_role_is_the_one_that_its_template_makes() -> None:
    hub = load(REPOSITORY / "infra" / "aws" / "reader-hub.yaml")
    arn = environment("ofAws")["ROLLCALL_HUB__ROLE_ARN"]
    assert arn.endswith(f":role/{hub['Resources']['HubRole']['Properties']['RoleName']}")
    for parameter, name in (("Audience", "awsAudience"), ("StackName", "awsStackName")):
        assert hub["Parameters"][parameter]["Default"] == parameters("main.bicep")[name]["default"]


def test_every_parameter_of_the_app_comes_from_one_of_the_deployment_or_from_a_module() -> None:
    params = modules("main.bicep")["functionApp"]["params"]
    made = {
        "identityId",
        "clientId",
        "hostBlobUri",
        "deploymentContainer",
        "intakeName",
        "connectionString",
        "workspaceId",
    }
    assert {name for name, given in params.items() if given != name} == {"name", "subnetId"} | made
