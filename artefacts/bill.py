"""The bill of materials of one artefact. Source: CycloneDX 1.6, JSON.

It has no time of its making, and its serial number follows from the artefact: equal artefacts have equal bills.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from artefacts.inventory import Component, graph

_NAMESPACE = uuid.UUID("6f1d0a52-2a5e-5d0e-9a1e-2d2f1c7e8b90")


def bill(name: str, version: str, sha256: str, components: Sequence[Component]) -> str:
    """The document about the artefact `name`, whose zip has that SHA-256."""
    root = f"rollcall/{name}@{version}"
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, sha256)}",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application",
                "bom-ref": root,
                "group": "rollcall",
                "name": name,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": sha256}],
                "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": [_library(each) for each in components],
        "dependencies": list(_dependencies(root, components)),
    }
    return json.dumps(document, indent=2) + "\n"


def _library(component: Component) -> Mapping[str, Any]:
    single = " " not in component.licence
    licence = {"license": {"id": component.licence}} if single else {"expression": component.licence}
    return {
        "type": "library",
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "licenses": [licence] if component.licence else [],
        "purl": component.purl,
    }


def _dependencies(root: str, components: Sequence[Component]) -> list[Mapping[str, Any]]:
    purls = {each.name: each.purl for each in components}
    needs = graph(components)
    of_others = {needed for name, each in needs.items() for needed in each if needed != name}
    direct = sorted(purls[name] for name in purls if name not in of_others)
    return [
        {"ref": root, "dependsOn": direct},
        *({"ref": purls[name], "dependsOn": [purls[each] for each in needed]} for name, needed in needs.items()),
    ]
