"""Commands that the pages show: calls of `rollcall`, `aws` and `make`, and what is wrong with one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import typer
from botocore import xform_name

from cli.main import app
from tests.site import ROOT

SHELL = ("sh", "console", "bash", "")
_FENCED = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
OF_AWS_ITSELF = {
    *("--region", "--profile", "--query", "--output", "--endpoint-url", "--no-paginate", "--cli-input-json"),
    *("--max-items", "--page-size", "--starting-token", "--generate-cli-skeleton"),
}
"""Options of every command. Source: AWS CLI command reference, "Global options", and the page on pagination."""
NOT_OF_THE_API = {("s3", "cp"), ("s3", "sync"), ("s3", "ls"), ("cloudformation", "deploy"), ("cloudformation", "wait")}
"""Commands that the AWS CLI makes of several calls; their names alone are looked at."""


def calls(text: str, program: str) -> list[list[str]]:
    """The calls of a program in a text of shell, word by word, as far as the next pipe, redirection or end."""
    joined = text.replace("\\\n", " ")
    found = re.findall(
        rf"(?:^|[;&|(]|\bdo) *(?:\$ )?({program} [a-z-](?:'[^']*'|\"[^\"]*\"|[^\n|<>;&)'\"])*)", joined, re.MULTILINE
    )
    return [shlex.split(each, comments=True) for each in found]


def blocks(page: Path) -> Iterator[str]:
    """The fenced blocks of shell, and those that do not say what they are."""
    for _, language, text in _FENCED.findall(page.read_text(encoding="utf-8")):
        if language in SHELL:
            yield re.sub(r"^ +", "", text, flags=re.MULTILINE)


def in_blocks(page: Path, program: str) -> list[list[str]]:
    """The calls in a page's blocks."""
    return [words for text in blocks(page) for words in calls(text, program)]


def in_text(page: Path, program: str) -> list[list[str]]:
    """The calls that a page quotes in its text; some are only the beginning of one."""
    prose = _FENCED.sub("", page.read_text(encoding="utf-8"))
    quoted = (text.partition("…")[0] for text in _QUOTED.findall(prose) if text.startswith(f"{program} "))
    return [words for words in map(_split, quoted) if len(words) > 1]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a piece of a command
        return text.split()


def wrong_with_rollcall(words: list[str]) -> str:
    """What is wrong with a call of `rollcall`; empty where nothing is. A group alone is a mention."""
    command, rest = _rollcall(), words[1:]
    options = _options(command)
    while rest and hasattr(command, "commands"):
        word = rest.pop(0)
        if word.startswith("-"):
            if word not in options:
                return f"no option {word}"
        elif word in command.commands:
            command = command.commands[word]
        else:
            return f"no command {word}"
    options |= _options(command)
    unknown = [each for each in rest if each.startswith("--") and each.partition("=")[0] not in options]
    return f"no option {', '.join(unknown)}" if unknown else ""


@cache
def _rollcall() -> Any:
    return typer.main.get_command(app)


def _options(command: Any) -> set[str]:
    found = {name for each in command.params for name in [*each.opts, *each.secondary_opts]}
    return found | {"--help"}


@cache
def _service(name: str) -> Any:
    return botocore.session.get_session().get_service_model("s3" if name == "s3api" else name)


def wrong_with_aws(words: list[str], *, whole: bool = True) -> str:
    """What is wrong with a call of the AWS CLI, after botocore's own models; empty where nothing is.

    Of one that is not `whole` nothing is missed.
    """
    _, service, operation, *rest = words
    if (service, operation) in NOT_OF_THE_API:
        return ""
    try:
        model = _service(service)
    except botocore.exceptions.UnknownServiceError:
        return f"no service {service}"
    names = {xform_name(each, "-"): each for each in model.operation_names}
    if operation not in names:
        return f"no operation {service} {operation}"
    shape = model.operation_model(names[operation]).input_shape
    members = {f"--{xform_name(each, '-')}" for each in shape.members} if shape is not None else set()
    options = [each.partition("=")[0] for each in rest if each.startswith("--")]
    unknown = [each for each in options if each not in members | OF_AWS_ITSELF]
    needed = {f"--{xform_name(each, '-')}" for each in shape.required_members} if shape is not None else set()
    missing = sorted(needed - set(options)) if whole else []
    return "; ".join([*(f"no option {each}" for each in unknown), *(f"without {each}" for each in missing)])


def targets() -> set[str]:
    """What the Makefile makes."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name for line in re.findall(r"^([\w -]+):(?!=)", text, re.MULTILINE) for name in line.split()}
