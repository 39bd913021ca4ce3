"""CloudFormation stacks as strict as the real ones.

moto skips resource types that it does not know, asks for no capability, leaves `AWS::NoValue` in lists, and lets
a failed resource surface as an API error that leaves half a stack. It also reads the template's YAML again for every
stack, which takes most of a large burst's time; here a text is read once. Source: CloudFormation API reference
2010-05-15, CreateStack; CloudFormation template reference, "Pseudo parameters".
"""

from __future__ import annotations

import pickle  # noqa: S403 - of what this process made itself
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from moto.cloudformation import models, parsing, responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Event, Stack
from moto.cloudformation.parsing import ResourceMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudformation.utils import get_stack_from_s3_url
from moto.core.exceptions import ServiceException
from werkzeug.exceptions import HTTPException

from sandbox.aws.errors import AwsError
from sandbox.aws.patching import Patch

_moto_parse_template = Stack.parse_template
_moto_clean_json = parsing.clean_json
_moto_parse_and_create = parsing.parse_and_create_resource
_moto_load = ResourceMap.load
_moto_update = ResourceMap.update
_moto_create_stack = CloudFormationResponse.create_stack
_moto_update_stack = CloudFormationResponse.update_stack
_moto_create_change_set = CloudFormationResponse.create_change_set

# What moto's resource models raise for a resource that cannot be made as the template asks: its own errors,
# and Python's where a property is missing or of the wrong kind.
RESOURCE_ERRORS = (
    ServiceException,
    HTTPException,
    ClientError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)
_WITH_IAM = {
    "AWS::IAM::AccessKey": None,
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Policy": None,
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserToGroupAddition": None,
}


class ResourceFailedError(AwsError):
    """One resource of a stack could not be made."""

    code = "ValidationError"

    def __init__(self, logical_id: str, resource_type: str, reason: str) -> None:
        super().__init__(f"{logical_id}: {reason}")
        self.logical_id = logical_id
        self.resource_type = resource_type
        self.reason = reason


class InsufficientCapabilitiesError(AwsError):
    """The template makes IAM resources and nobody acknowledged that."""

    code = "InsufficientCapabilitiesException"


def reason_of(error: BaseException) -> str:
    """What AWS would say of an error that a resource model raised."""
    if isinstance(error, ServiceException):
        return str(error.message)
    if isinstance(error, HTTPException):
        return str(getattr(error, "message", error.description))
    if isinstance(error, KeyError):
        return f"unresolved reference or missing property {error}"
    return f"{type(error).__name__}: {error}"


def refuse_unknown_types(template: Mapping[str, Any]) -> None:
    """Insists that every resource type is one that the sandbox can make.

    Raises:
        ValidationError: in CloudFormation's words, for any other type, whatever its condition.
    """
    known = {*parsing.get_model_map(), *parsing.NULL_MODELS}
    types = {resource["Type"] for resource in (template.get("Resources") or {}).values()}
    unknown = sorted(name for name in types - known if not name.startswith("Custom::"))
    if unknown:
        raise ValidationError(message=f"Template format error: Unrecognized resource types: {unknown}")


def require_capabilities(template: Mapping[str, Any], given: Iterable[str]) -> None:
    """Insists on CAPABILITY_IAM, or CAPABILITY_NAMED_IAM where an IAM resource has a name of its own."""
    given = set(given)
    needed = ""
    for resource in (template.get("Resources") or {}).values():
        if resource["Type"] in _WITH_IAM:
            name = _WITH_IAM[resource["Type"]]
            named = name is not None and name in (resource.get("Properties") or {})
            needed = "CAPABILITY_NAMED_IAM" if named else needed or "CAPABILITY_IAM"
    if needed and not given & (
        {"CAPABILITY_NAMED_IAM"} if needed.endswith("NAMED_IAM") else {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}
    ):
        raise InsufficientCapabilitiesError(f"Requires capabilities : [{needed}]")


def parse_template(body: str) -> dict[str, Any]:
    """A template as CloudFormation reads it.

    Raises:
        ValidationError: if it is no template.
    """
    template = Stack.parse_template(body)
    if not isinstance(template, dict) or "Resources" not in template:
        message = "Template format error: At least one Resources member must be defined."
        raise ValidationError(message=message)
    return template


@lru_cache(maxsize=16)
def _parsed(template: str) -> bytes:
    return pickle.dumps(_moto_parse_template(template))


def _parse_once(template: str) -> Any:
    """What moto makes of a template; a copy, since moto changes it."""
    return pickle.loads(_parsed(template))  # noqa: S301


def template_from_url(template_url: str, account_id: str, partition: str) -> str:
    """The template behind an S3 URL; on loopback the bucket is the first part of the path."""
    if urlsplit(template_url).hostname in {"127.0.0.1", "localhost"}:
        path = urlsplit(template_url).path
        template_url = f"https://s3.amazonaws.com{path}"
    return get_stack_from_s3_url(template_url, account_id=account_id, partition=partition)


def _clean_json(resource_json: Any, resources_map: ResourceMap) -> Any:
    """A part of a template with its functions resolved; moto calls this for every part of the part, too."""
    cleaned = _moto_clean_json(resource_json, resources_map)
    return [item for item in cleaned if item is not None] if isinstance(resource_json, list) else cleaned


def _parse_and_create(
    logical_id: str, resource_json: dict[str, Any], resources_map: ResourceMap, account_id: str, region_name: str
) -> Any:
    try:
        return _moto_parse_and_create(logical_id, resource_json, resources_map, account_id, region_name)
    except ResourceFailedError:
        raise
    except RESOURCE_ERRORS as error:
        raise ResourceFailedError(logical_id, resource_json["Type"], reason_of(error)) from error


def _load(self: ResourceMap) -> None:
    refuse_unknown_types(self._template)
    _moto_load(self)


def _update(self: ResourceMap, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
    refuse_unknown_types(template)
    _moto_update(self, template, parameters)


def create_or_roll_back(stack: Stack) -> ResourceFailedError | None:
    """Makes the stack's resources; takes back what was made if one fails, and returns that failure."""
    stack.status = "CREATE_IN_PROGRESS"
    try:
        ready = stack.resource_map.create(stack.template_dict)
    except ResourceFailedError as failure:
        _roll_back(stack, failure)
        return failure
    if ready:
        stack.mark_creation_complete()
    return None


def _roll_back(stack: Stack, failure: ResourceFailedError) -> None:
    failed = Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=failure.logical_id,
        physical_resource_id="",
        resource_type=failure.resource_type,
        resource_status="CREATE_FAILED",
        resource_status_reason=failure.reason,
        resource_properties=None,
    )
    stack.events.append(failed)
    reason = f"The following resource(s) failed to create: [{failure.logical_id}]. Rollback requested by user."
    stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason=reason)
    stack.resource_map.delete()
    # Nothing may be made again by whoever looks at the stack: moto's map creates what it is asked for.
    stack.resource_map._resource_json_map = {}
    stack.output_map._output_json_map = {}
    stack._add_stack_event("ROLLBACK_COMPLETE")
    stack.status = "ROLLBACK_COMPLETE"


def _create_resources(self: Stack) -> None:
    create_or_roll_back(self)


def _checked_template(response: CloudFormationResponse) -> None:
    url = response._get_param("TemplateURL")
    body = response._get_stack_from_s3_url(url) if url else response._get_param("TemplateBody")
    if body:
        require_capabilities(parse_template(body), response._get_param("Capabilities", []))


def _create_stack(self: CloudFormationResponse) -> Any:
    _checked_template(self)
    return _moto_create_stack(self)


def _update_stack(self: CloudFormationResponse) -> Any:
    _checked_template(self)
    return _moto_update_stack(self)


def _create_change_set(self: CloudFormationResponse) -> Any:
    _checked_template(self)
    return _moto_create_change_set(self)


def patches() -> Iterable[Patch]:
    """What this module replaces in moto."""
    yield Patch(Stack, "parse_template", staticmethod(_parse_once))
    yield Patch(parsing, "clean_json", _clean_json)
    yield Patch(parsing, "parse_and_create_resource", _parse_and_create)
    yield Patch(ResourceMap, "load", _load)
    yield Patch(ResourceMap, "update", _update)
    yield Patch(Stack, "create_resources", _create_resources)
    yield Patch(models, "get_stack_from_s3_url", template_from_url)
    yield Patch(responses, "get_stack_from_s3_url", template_from_url)
    yield Patch(CloudFormationResponse, "create_stack", _create_stack)
    yield Patch(CloudFormationResponse, "update_stack", _update_stack)
    yield Patch(CloudFormationResponse, "create_change_set", _create_change_set)
