"""infra/gcp as Terraform sees it: form, the provider that is pinned, variables and outputs."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.terraform.provider_schema import META, SCHEMA
from tests.infra.gcp_module import (
    ALL_PARTS,
    ENDPOINT,
    MODULE,
    NUMBER,
    ORGANIZATION,
    POOLS,
    PROJECT,
    PUSH,
    ROLLCALL,
    TENANT,
    Resource,
    World,
    blocks,
    evaluation,
    parsed,
    references,
    resources,
    terraform,
)

PLUGINS = "ROLLCALL_TERRAFORM_PLUGINS"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """What the pinned provider takes."""
    loaded: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return loaded


def test_terraform_would_format_nothing_differently() -> None:
    done = terraform(MODULE, "fmt", "-check", "-diff")
    assert (done.returncode, done.stdout) == (0, "")


def test_terraform_finds_the_module_valid(tmp_path: Path) -> None:
    plugins = os.environ.get(PLUGINS)
    if not plugins:
        pytest.skip(f"{PLUGINS} is not set: a folder that `terraform providers mirror` made in infra/gcp")
    folder = tmp_path / "gcp"
    shutil.copytree(MODULE, folder)
    started = terraform(folder, "init", "-backend=false", "-input=false", f"-plugin-dir={plugins}")
    assert started.returncode == 0, started.stderr
    done = terraform(folder, "validate", "-json")
    assert json.loads(done.stdout)["diagnostics"] == []


def test_one_version_of_the_provider_is_pinned_the_one_whose_arguments_are_known(schema: dict[str, Any]) -> None:
    [settings] = parsed("versions.tf")["terraform"]
    assert settings["required_providers"] == [{"google": {"source": schema["provider"], "version": schema["version"]}}]
    assert "backend" not in settings


@pytest.mark.parametrize("resource", resources(), ids=lambda each: f"{each.kind}.{each.name}")
def test_arguments_are_those_of_the_pinned_provider(resource: Resource, schema: dict[str, Any]) -> None:
    def check(body: dict[str, Any], known: dict[str, Any]) -> None:
        nested = {key: value for key, value in body.items() if key in known.get("blocks", {})}
        for [dynamic] in (each.items() for each in body.get("dynamic", [])):
            nested[dynamic[0]] = dynamic[1]["content"]
        given = set(body) - set(nested) - META - {"dynamic"}
        assert given <= set(known["attributes"])
        assert {name for name, required in known["attributes"].items() if required} <= given
        for name, each in nested.items():
            [content] = each
            check(content, known["blocks"][name])

    check(resource.body, schema["types"][resource.kind])


def test_every_reference_leads_to_an_attribute_of_a_resource(schema: dict[str, Any]) -> None:
    assert references() <= {(each.kind, each.name) for each in resources()}
    text = "\n".join(path.read_text(encoding="utf-8") for path in MODULE.glob("*.tf"))
    read = re.findall(r"\b(data\.)?(google_[a-z_]+)\.[a-z_]+(?:\[[^\]]+\])?\.([a-z_]+)", text)
    assert read
    for prefix, kind, attribute in read:
        assert attribute in schema["types"][("data_" if prefix else "") + kind]["readable"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("organization_id", "organizations/123456789012"),
        ("management_project_id", NUMBER),
        ("tenant_id", TENANT.replace("-", "")),
        ("tenant_id", TENANT.upper()),
        ("function_identity_object_id", "rollcall"),
        ("token_resource", "rollcall"),
        ("push_endpoint", ENDPOINT.replace("https", "http")),
        ("push_endpoint", f"{ENDPOINT}?code=secret"),
        ("push_audience", ""),
        ("mode", "native"),
        ("plans", ["storage"]),
        ("parts", ["everything"]),
        ("max_delivery_attempts", 4),
        ("max_delivery_attempts", 101),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable_and_reason(variable: str, value: Any, tmp_path: Path) -> None:
    done = evaluation(tmp_path, **{variable: value})
    assert done.returncode == 1
    assert "Invalid value for variable" in done.stderr
    assert f" var.{variable} is " in done.stderr


def test_plans_and_parts_are_the_words_of_the_data(data: dict[str, Any]) -> None:
    words = {
        name: set(re.findall(r'"([a-z_]+)"', body["validation"][0]["condition"]))
        for name, body in blocks("variable")
        if name in {"plans", "parts"}
    }
    sources = [*data["service_accounts"].values(), *data["external_members"].values()]
    assert words["plans"] == {plan for each in sources for plan in each["plans"]} - {"foundational_cspm"}
    assert words["parts"] == {each["part"] for each in sources if "part" in each} == set(ALL_PARTS)


def test_every_variable_is_explained_and_checked_unless_it_is_a_switch() -> None:
    for name, body in blocks("variable"):
        assert body["description"], name
        assert "validation" in body or body["type"] == "bool", name


def test_outputs_are_the_settings_and_the_section_of_the_policy(usual: World) -> None:
    assert {name for name, _ in blocks("output")} == {"function_settings", "policy"}
    assert usual["function_settings"] == {
        "ROLLCALL_GCP__AUDIENCE": f"//{POOLS}/rollcall/providers/function-app",
        "ROLLCALL_GCP__SERVICE_ACCOUNT": ROLLCALL.removeprefix("serviceAccount:"),
        "ROLLCALL_GCP__TOKEN_RESOURCE": "api://rollcall-gcp",
        "ROLLCALL_GCP__PUSH_AUDIENCE": "rollcall-project-events",
        "ROLLCALL_GCP__PUSH_SERVICE_ACCOUNT": PUSH,
    }
    assert usual["policy"] == {
        "organization": ORGANIZATION,
        "mode": "member",
        "management_project": {"number": NUMBER, "id": PROJECT},
    }
