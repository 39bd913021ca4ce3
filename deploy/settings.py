"""`deploy.toml`: what a deployment has to know and no cloud can tell; nothing in it is secret."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from deploy.refusal import RefusedError

FILE = Path("deploy.toml")
SAMPLE = Path("docs", "samples", "deploy.toml")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    "aws.bucket": (re.compile(r"([a-z0-9][a-z0-9-]{1,61}[a-z0-9])?"), "a bucket's name without dots"),
    "aws.management_account": (re.compile(r"\d{12}"), "twelve digits, in quotes"),
    "aws.stack": (re.compile(r"[A-Za-z][A-Za-z0-9-]{0,37}"), "at most 38 letters, digits and dashes"),
    "azure.location": (re.compile(r"[a-z0-9]+"), "a region's short name, such as westeurope"),
    "azure.subscription": (_GUID, "a GUID in small letters"),
    "azure.tenant": (_GUID, "a GUID in small letters"),
    "gcp.organization": (re.compile(r"\d{6,20}"), "the organization's number, in quotes"),
    "gcp.project": (re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]"), "the management project's id"),
    "gcp.project_number": (re.compile(r"\d{6,20}"), "the management project's number, in quotes"),
}
_OPTIONAL = {"aws.bucket", "aws.stack"}
Section = TypeVar("Section", bound="Azure | Aws | Gcp")


@dataclass(frozen=True, kw_only=True)
class Azure:
    """Where Rollcall and its first place of connectors are made; `parameters` are more of infra/azure/main.bicep."""

    tenant: str
    subscription: str
    location: str
    applications: bool = True
    tenant_reader: bool = True
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Aws:
    """The management account; `parameters` are more of infra/aws/template.yaml, `hub` of infra/aws/reader-hub.yaml."""

    management_account: str
    bucket: str = ""
    stack: str = "rollcall"
    member_template: str = "infra/aws/member-roles.yaml"
    parameters: Mapping[str, Any]
    hub: Mapping[str, Any]

    @property
    def bucket_name(self) -> str:
        """Of the bucket with policy, templates and code; where none is said, as infra/aws/bucket.yaml names it."""
        return self.bucket or f"rollcall-{self.management_account}-us-east-1"


@dataclass(frozen=True, kw_only=True)
class Gcp:
    """The organization and its management project; `variables` are more of infra/gcp."""

    organization: str
    project: str
    project_number: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The sections that are there."""

    azure: Azure | None
    aws: Aws | None
    gcp: Gcp | None

    def need_azure(self) -> Azure:
        """The section. Raises RefusedError."""
        return _there(self.azure, "azure")

    def need_aws(self) -> Aws:
        """The section. Raises RefusedError."""
        return _there(self.aws, "aws")

    def need_gcp(self) -> Gcp:
        """The section. Raises RefusedError."""
        return _there(self.gcp, "gcp")


def read_settings(root: Path) -> Settings:
    """What the file says. Raises RefusedError with the place of what is missing, unknown or of another form."""
    try:
        content = tomllib.loads((root / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RefusedError(f"there is no {FILE}", remedy=f"Copy {SAMPLE} to {FILE} and fill it in.") from error
    except tomllib.TOMLDecodeError as error:
        raise RefusedError(f"{FILE} is no TOML: {error}", remedy=f"Compare it with {SAMPLE}.") from error
    if strange := sorted(set(content) - {"azure", "aws", "gcp"}):
        raise RefusedError(f"{FILE} has a section nobody knows: {', '.join(strange)}", remedy="Take it out.")
    return Settings(azure=_section(Azure, content), aws=_section(Aws, content), gcp=_section(Gcp, content))


def _section(kind: type[Section], content: Mapping[str, Any]) -> Section | None:
    name = kind.__name__.lower()
    given = content.get(name)
    if given is None:
        return None
    tables = {each.name for each in fields(kind) if each.type == "Mapping[str, Any]"}
    values = dict.fromkeys(tables, {}) | given
    known = {each.name for each in fields(kind)}
    if strange := sorted(set(values) - known):
        raise RefusedError(
            f"{FILE} has a setting nobody knows: {name}.{strange[0]}", remedy=f"Compare it with {SAMPLE}."
        )
    for each in fields(kind):
        _check(f"{name}.{each.name}", str(each.type), values)
    return kind(**values)


def _check(place: str, kind: str, values: Mapping[str, Any]) -> None:
    """Refuses a value that is missing or of another form."""
    name = place.partition(".")[2]
    if name not in values:
        if place in _FORMS and place not in _OPTIONAL:
            raise RefusedError(f"{FILE} does not say {place}", remedy=f"It is {_FORMS[place][1]}.")
        return
    value = values[name]
    wanted = {"str": str, "bool": bool}.get(kind, dict)
    form, said = _FORMS.get(place, (None, {"bool": "true or false", "str": "a text"}.get(kind, "a table")))
    if not isinstance(value, wanted) or (form and not form.fullmatch(str(value))):
        raise RefusedError(f"{FILE}: {place} is {value!r}", remedy=f"It is {said}.")


def _there(section: Section | None, name: str) -> Section:
    if section is None:
        raise RefusedError(f"{FILE} has no section {name}", remedy=f"Take it from {SAMPLE} and fill it in.")
    return section
