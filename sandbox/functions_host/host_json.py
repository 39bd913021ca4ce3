"""host.json, with the overrides that the real host takes from the environment.

Source: Microsoft Learn, "host.json reference for Azure Functions 2.x and later" (section "Override
host.json values") and "Azure Queue storage trigger and bindings", section host.json settings.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from sandbox.functions_host.app_settings import JOB_HOST, AppSettings
from sandbox.functions_host.errors import HostRefusalError

UNLIMITED = -1.0
_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d{1,7})?))?")


def parse_time_span(text: object) -> float:
    """Seconds of a .NET time span (`[d.]hh:mm[:ss[.fff]]`), or `UNLIMITED` for `-1` and `-00:00:01`."""
    if text in {"-1", "-00:00:01"}:
        return UNLIMITED
    match = _TIME_SPAN.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a time span such as 00:05:00")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


Seconds = Annotated[float, BeforeValidator(parse_time_span)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, frozen=True)


class QueueOptions(_Section):
    """`extensions.queues`. Times in seconds; `new_batch_threshold` defaults to half a batch per processor."""

    batch_size: int = Field(default=16, ge=1, le=32)
    new_batch_threshold: int = Field(ge=0)
    max_dequeue_count: int = Field(default=5, ge=1)
    visibility_timeout: Seconds = 0.0
    max_polling_interval: Seconds = 60.0
    message_encoding: Literal["base64", "none"] = "base64"

    @model_validator(mode="before")
    @classmethod
    def _threshold_by_processors(cls, data: Any) -> Any:
        batch_size = int(data.get("batchSize", 16))
        return {"newBatchThreshold": batch_size * (os.cpu_count() or 1) // 2} | data


class HttpOptions(_Section):
    """`extensions.http`, as far as this host serves it."""

    route_prefix: str = "api"


class Extensions(_Section):
    """`extensions` of the trigger kinds that this host knows."""

    queues: QueueOptions = QueueOptions.model_validate({})
    http: HttpOptions = HttpOptions()


class HostJson(_Section):
    """host.json. Sections without effect on one computer are accepted by name; unknown ones are refused."""

    version: Literal["2.0"]
    function_timeout: Seconds = 1800.0
    extension_bundle: dict[str, str] = {}
    extensions: Extensions = Extensions()
    logging: dict[str, Any] = {}
    telemetry_mode: str = "ApplicationInsights"


def _put(target: dict[str, Any], levels: list[str], value: str) -> None:
    """Sets one nested value, matching existing keys without regard to case."""
    known = {key.lower(): key for key in target}
    key = known.get(levels[0].lower(), levels[0])
    if len(levels) == 1:
        target[key] = value
    else:
        _put(target.setdefault(key, {}), levels[1:], value)


def read_host_json(root: Path, settings: AppSettings) -> HostJson:
    """Reads `root`/host.json and lays the settings `AzureFunctionsJobHost__a__b` over it.

    Raises:
        HostRefusalError: the file is missing, or says something that this host does not know.
    """
    path = root / "host.json"
    if not path.exists():
        raise HostRefusalError(f"there is no host.json in {root}")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        for levels, value in settings.under(JOB_HOST):
            _put(document, levels, value)
        return HostJson.model_validate(document)
    except (ValueError, ValidationError) as error:
        raise HostRefusalError(f"host.json: {error}") from error
