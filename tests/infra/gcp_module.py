"""infra/gcp read as data, and evaluated by Terraform itself without its Google provider.

For the evaluation each resource becomes a local value of the same arguments, with those attributes that Google would
add written down here; variables, validations, conditions and loops are Terraform's own work.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest

MODULE = Path(__file__).parents[2] / "infra" / "gcp"
NUMBER = "210987654321"
ORGANIZATION = "123456789012"
PROJECT = "mdc-mgmt-proj-123456789012"
TENANT = "12345678-9abc-4ef0-8234-56789abcdef0"
IDENTITY = "0fedcba9-8765-4321-8fed-cba987654321"
POOLS = f"iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools"
MICROSOFT = "https://sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d/"
ROLLCALL = f"serviceAccount:rollcall@{PROJECT}.iam.gserviceaccount.com"
PUSH = f"rollcall-push@{PROJECT}.iam.gserviceaccount.com"
ALL_PARTS = [
    "agentless_scanning",
    "arc",
    "audit_logs",
    "ciem",
    "encrypted_disks",
    "image_assessment",
    "kubernetes_discovery",
    "sensitive_data",
]
World = dict[str, Any]
"""An evaluated module: resources by `type.name`, outputs by name."""
ENDPOINT = "https://rollcall.azurewebsites.net/api/gcp/project-events"
VARIABLES: dict[str, Any] = {
    "organization_id": ORGANIZATION,
    "management_project_id": PROJECT,
    "tenant_id": TENANT,
    "function_identity_object_id": IDENTITY,
    "push_endpoint": ENDPOINT,
}
_PLAIN = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
_REFERENCE = re.compile(r"\b(data\.)?(google_[a-z_]+)\.([a-z_]+)")
_META = {"count", "depends_on", "for_each"}
# What Google adds, from the arguments in brackets. Source: the provider's documentation of each type, "Attributes".
_COMPUTED: dict[str, dict[str, tuple[str, ...]]] = {
    "google_iam_workload_identity_pool": {
        "name": (f"projects/{NUMBER}/locations/global/workloadIdentityPools/%s", "workload_identity_pool_id")
    },
    "google_iam_workload_identity_pool_provider": {
        "name": (
            f"projects/{NUMBER}/locations/global/workloadIdentityPools/%s/providers/%s",
            "workload_identity_pool_id",
            "workload_identity_pool_provider_id",
        )
    },
    "google_logging_organization_sink": {
        "writer_identity": ("serviceAccount:service-org-%s@gcp-sa-logging.iam.gserviceaccount.com", "org_id")
    },
    "google_organization_iam_custom_role": {"name": ("organizations/%s/roles/%s", "org_id", "role_id")},
    "google_project": {"number": (NUMBER,)},
    "google_pubsub_topic": {"id": ("projects/%s/topics/%s", "project", "name")},
    "google_service_account": {
        "email": ("%s@%s.iam.gserviceaccount.com", "account_id", "project"),
        "member": ("serviceAccount:%s@%s.iam.gserviceaccount.com", "account_id", "project"),
        "name": ("projects/%s/serviceAccounts/%s@%s.iam.gserviceaccount.com", "project", "account_id", "project"),
    },
}


@dataclass(frozen=True)
class Resource:
    """One block `resource` or `data`; of the latter `kind` begins with `data_`."""

    kind: str
    name: str
    body: dict[str, Any]


@cache
def parsed(name: str) -> dict[str, Any]:
    """One file of the module."""
    return hcl2.loads((MODULE / name).read_text(encoding="utf-8"), serialization_options=_PLAIN)


def blocks(word: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """All blocks with one label, such as variables and outputs."""
    for path in sorted(MODULE.glob("*.tf")):
        for block in parsed(path.name).get(word, []):
            yield from block.items()


def resources() -> list[Resource]:
    """All blocks with two labels."""
    return [
        Resource(("data_" if word == "data" else "") + kind, name, body)
        for word in ("data", "resource")
        for kind, named in blocks(word)
        for name, body in named.items()
    ]


def instances(world: World, kind: str) -> list[dict[str, Any]]:
    """Every resource of a type in an evaluated module, those in loops one by one."""
    found: list[dict[str, Any]] = []
    for name, value in world.items():
        if name.partition(".")[0] == kind:
            looped = isinstance(value, list) or all(isinstance(each, dict) for each in value.values())
            found += (value if isinstance(value, list) else list(value.values())) if looped else [value]
    return found


def grants(world: World) -> set[tuple[str, str]]:
    """(member, role) wherever an evaluated module grants something, custom roles by their ids."""
    kinds = {each.kind for each in resources() if each.kind.endswith(("_iam_member", "_iam_binding"))}
    return {
        (member, each["role"].removeprefix(f"organizations/{ORGANIZATION}/roles/"))
        for kind in kinds
        for each in instances(world, kind)
        for member in each.get("members", [each.get("member")])
    }


def references() -> set[tuple[str, str]]:
    """Type and name of whatever the module's expressions refer to."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in MODULE.glob("*.tf"))
    return {(("data_" if found[1] else "") + found[2], found[3]) for found in _REFERENCE.finditer(text)}


def terraform(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What Terraform says; skips where there is none."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not on this computer")
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    return subprocess.run(
        [program, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def evaluation(folder: Path, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Terraform's evaluation of the module with these variables besides the obligatory ones."""
    folder.mkdir(exist_ok=True)
    for name in ("variables.tf", "identities.tf", "defender.json"):
        shutil.copy(MODULE / name, folder / name)
    (folder / "evaluated.tf").write_text("\n".join(_as_locals()), encoding="utf-8")
    (folder / "terraform.tfvars.json").write_text(json.dumps(VARIABLES | variables), encoding="utf-8")
    return terraform(folder, "apply", "-auto-approve", "-input=false", "-no-color")


def evaluated(folder: Path, **variables: Any) -> World:
    """All resources by `type.name`, and outputs by name, as Terraform sees them."""
    done = evaluation(folder, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads((folder / "terraform.tfstate").read_text(encoding="utf-8"))["outputs"]
    found: World = json.loads(said["resources"]["value"])
    return found | {name: each["value"] for name, each in said.items()}


def _as_locals() -> Iterator[str]:
    found = resources()
    yield "locals {"
    for name, value in parsed("intake.tf")["locals"][0].items():
        yield f"{name} = {_expression(value)}"
    for each in found:
        yield f"{_local(each)} = {_value(each)}"
    yield "}"
    for name, body in blocks("output"):
        yield f'output "{name}" {{ value = {_expression(body["value"])} }}'
    everything = ", ".join(f'"{each.kind}.{each.name}" = local.{_local(each)}' for each in found)
    yield f'output "resources" {{ value = jsonencode({{ {everything} }}) }}'


def _local(resource: Resource) -> str:
    return f"{resource.kind.removeprefix('data_')}__{resource.name}"


def _value(resource: Resource) -> str:
    body = {key: value for key, value in resource.body.items() if key not in _META}
    given = {key: _expression(value) for key, value in body.items()}
    for attribute, (form, *names) in _COMPUTED.get(resource.kind.removeprefix("data_"), {}).items():
        given[attribute] = f"format({', '.join([json.dumps(form), *(given[name] for name in names)])})"
    written = "{ " + ", ".join(f"{key} = {value}" for key, value in given.items()) + " }"
    if "count" in resource.body:
        return f"[for each_index in range({_expression(resource.body['count'])}) : {written}]"
    if "for_each" not in resource.body:
        return written
    loop = _expression(resource.body["for_each"])
    if loop == "local.services":
        loop = "{ for each_one in local.services : each_one => each_one }"
    return f"{{ for each_key, each_value in {loop} : each_key => {written} }}"


def _expression(value: Any) -> str:
    if isinstance(value, Mapping):
        if set(value) == {"for_each", "content"}:  # a dynamic block, whose iterator has the block's name
            content = re.sub(r"\b[a-z_]+\.value", "each_one", _expression(value["content"][0]))
            return f"[for each_one in {_expression(value['for_each'])} : {content}]"
        return "{ " + ", ".join(f"{json.dumps(key)} = {_expression(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_expression(each) for each in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    whole = re.fullmatch(r"\$\{((?:(?!\$\{).)*|.*\?.*|\{for .*\}|[a-z]+\(.*\))\}", value, re.DOTALL)
    text = whole[1] if whole else json.dumps(value)
    text = _REFERENCE.sub(r"local.\2__\3", text)
    return text.replace("each.key", "each_key").replace("each.value", "each_value")
