"""Exchanges that were recorded from the live services, and how an answer of ours is compared with one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

_CHANGING = re.compile(
    r"'[^']*'"  # what the text quotes
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[T ][\d:.]+Z"
    r"|\d+"
)


@dataclass(frozen=True)
class Recording:
    """One recorded request and its answer; header names are in lower case."""

    name: str
    method: str
    url: str
    sent: Any
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def version(self) -> str:
        return parse_qs(urlsplit(self.url).query).get("api-version", [""])[0]

    @property
    def subscription(self) -> str:
        found = re.match(r"/subscriptions/([^/]+)", self.path)
        return found[1] if found else ""

    @property
    def group(self) -> str:
        found = re.search(r"/resourcegroups/([^/]+)", self.path, re.IGNORECASE)
        return found[1] if found else ""


def names(evidence: Path) -> set[str]:
    """Every file of recordings, without its ending."""
    return {each.stem for each in (evidence / "reference" / "recordings").glob("*.json")}


def read(evidence: Path, name: str) -> Recording:
    """The recording of that name."""
    path = evidence / "reference" / "recordings" / f"{name}.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    request, response = document.get("request") or {}, document["response"]
    return Recording(
        name=name,
        method=request.get("method") or "",
        url=request.get("url") or "",
        sent=request.get("body"),
        status=response.get("status") or 0,
        headers=response.get("headers") or {},
        body=response.get("body"),
    )


def shape(value: Any) -> Any:
    """The structure of a JSON value: its keys in their order, and its types."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else type(value).__name__


def wording(text: str) -> str:
    """A message without what differs from one request to the next."""
    return " ".join(_CHANGING.sub("_", text).split())


def xml_shape(text: str) -> list[str]:
    """The names of an XML document's elements in their order."""
    return re.findall(r"<([A-Za-z]+)[ >/]", text.partition("?>")[2])


def missing_headers(answer: requests.Response, recording: Recording) -> set[str]:
    """The recorded header names that our answer lacks; the date is the serving library's business."""
    return {each for each in recording.headers if each not in answer.headers} - {"date"}


def assert_agrees(answer: requests.Response, recording: Recording) -> None:
    """Status, header names, and the body's keys, order and types; for an error its code and words, too."""
    said = f"{recording.name}: {answer.status_code} {answer.text[:400]}"
    assert answer.status_code == recording.status, said
    assert missing_headers(answer, recording) == set(), said
    if recording.body is None:
        assert answer.content == b"", said
        return
    ours = answer.json()
    assert json.dumps(shape(ours)) == json.dumps(shape(recording.body)), said
    if "error" in recording.body and isinstance(recording.body["error"], dict):
        assert ours["error"]["code"] == recording.body["error"]["code"], said
        assert wording(ours["error"]["message"]) == wording(recording.body["error"]["message"]), said
