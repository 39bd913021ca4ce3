"""One deployed function: its artefact, unpacked, and the execution environments that run it."""

from __future__ import annotations

import compileall
import hashlib
import io
import queue
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.lambda_service.environment import ExecutionEnvironment, FunctionConfiguration, RoleCredentials

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_lambda.type_defs import GetFunctionResponseTypeDef

    from sandbox.lambda_service.runtime_api import InvocationResult


def load_configuration(  # noqa: PLR0913 - where everything is, by name
    session: boto3.Session,
    aws_url: str,
    *,
    function_arn: str,
    code_bucket: str,
    folder: Path,
    unpacked: Path | None = None,
) -> FunctionConfiguration:
    """Reads a function through the Lambda API and unpacks its artefact from S3 into `folder`.

    With `unpacked` equal artefacts are there once, for all functions and sandboxes that name that folder.

    GetFunction answers with a presigned address in a bucket of AWS's own. The emulator has no such bucket;
    the key in that address is the artefact's in `code_bucket`.
    """
    answer = session.client("lambda", endpoint_url=aws_url).get_function(FunctionName=function_arn)
    name = answer["Configuration"]["FunctionName"]
    key = unquote(urlsplit(answer["Code"]["Location"]).path).lstrip("/")
    artefact = session.client("s3", endpoint_url=aws_url).get_object(Bucket=code_bucket, Key=key)["Body"].read()
    if unpacked is not None:
        return _configuration(answer, _once(artefact, unpacked.resolve()))
    code = (folder / name / "code").resolve()
    if code.exists():
        shutil.rmtree(code)
    _unpack(artefact, code)
    return _configuration(answer, code)


def _once(artefact: bytes, unpacked: Path) -> Path:
    code = unpacked / hashlib.sha256(artefact).hexdigest()
    if not code.exists():
        begun = Path(tempfile.mkdtemp(dir=unpacked))
        _unpack(artefact, begun)
        compileall.compile_dir(begun, quiet=2, stripdir=begun, prependdir=code)
        try:
            begun.rename(code)
        except OSError:
            if not code.exists():  # else another was faster
                raise
    return code


def _unpack(artefact: bytes, code: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(artefact)) as archive:
        archive.extractall(code)


def _configuration(answer: GetFunctionResponseTypeDef, code: Path) -> FunctionConfiguration:
    found = answer["Configuration"]
    name, arn = found["FunctionName"], found["FunctionArn"]
    return FunctionConfiguration(
        name=name,
        arn=arn,
        handler=found["Handler"],
        role=found["Role"],
        runtime=found["Runtime"],
        region=arn.split(":")[3],
        memory_mb=int(found["MemorySize"]),
        timeout_seconds=float(found["Timeout"]),
        log_group=found.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{name}"),
        # Environment variables are strings; moto hands a template's Number parameter through as a number.
        variables={key: str(value) for key, value in found.get("Environment", {}).get("Variables", {}).items()},
        folder=code,
    )


class Function:
    """A function with a fixed number of execution environments."""

    def __init__(  # noqa: PLR0913 - the parts of a function are given by name, once
        self,
        configuration: FunctionConfiguration,
        credentials_for_role: Callable[[str], RoleCredentials],
        extra_variables: Mapping[str, str],
        *,
        environments: int,
        log: Path,
        faults: Faults | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.configuration = configuration
        self._all = [
            ExecutionEnvironment(configuration, credentials_for_role, extra_variables, log, faults, journal)
            for _ in range(environments)
        ]
        self._free: queue.LifoQueue[ExecutionEnvironment] = queue.LifoQueue()
        for environment in self._all:
            self._free.put(environment)

    @property
    def process_ids(self) -> list[int]:
        """The runtime processes that live now."""
        return [environment.pid for environment in self._all if environment.pid is not None]

    def start(self) -> None:
        """Starts every environment, so that the first event finds them warm."""
        for environment in self._all:
            environment.start()

    def stop(self) -> None:
        """Ends every environment."""
        for environment in self._all:
            environment.stop()

    def kill(self) -> list[int]:
        """SIGKILLs every runtime process; their ids."""
        return [pid for environment in self._all if (pid := environment.kill()) is not None]

    def invoke(self, payload: bytes) -> tuple[str, InvocationResult]:
        """Runs one event in the first free environment; returns the request id and the result."""
        environment = self._free.get()
        try:
            return environment.invoke(payload)
        finally:
            self._free.put(environment)
