"""`infra/aws/template.yaml` with the addresses of built artefacts, as `sam package` would write it.

The text is kept as it is, comments and all: one line is taken out, and one put into each function.
"""

from __future__ import annotations

import re

from deploy.refusal import RefusedError

_SOURCE = "    CodeUri: ../../\n"
_FUNCTION = re.compile(r"^  (\w+):\n    Type: AWS::Serverless::Function\n(?:    .*\n)*?    Properties:\n", re.MULTILINE)


def functions(template: str) -> tuple[str, ...]:
    """The logical ids of the template's functions; each is the name of an artefact."""
    return tuple(found[1] for found in _FUNCTION.finditer(template))


def packaged(template: str, code: dict[str, str]) -> str:
    """The template with code at these addresses (`s3://…`), by logical id. Raises RefusedError."""
    if template.count(_SOURCE) != 1 or set(functions(template)) != set(code):
        raise RefusedError(
            "infra/aws/template.yaml does not look as `make deploy-aws` knows it", remedy="Deploy a released version."
        )
    return _FUNCTION.sub(lambda found: f"{found[0]}      CodeUri: {code[found[1]]}\n", template.replace(_SOURCE, ""))
