"""The Lambda service of the sandbox: runs whatever functions and mappings CloudFormation made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.config import Config

from sandbox.config import SandboxSettings
from sandbox.faults import Faults
from sandbox.journal import Journal
from sandbox.lambda_service.emulator import without_own_event_sources
from sandbox.lambda_service.environment import RoleCredentials
from sandbox.lambda_service.event_source import Mapping as EventSourceMapping
from sandbox.lambda_service.event_source import SqsEventSource
from sandbox.lambda_service.function import Function, load_configuration
from sandbox.lambda_service.invoking import invoking
from sandbox.sessions import session_of

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef


class LambdaService:
    """Runs the functions that have an SQS event source, until `stop`.

    `session` is the control plane's: it reads functions, mappings and code. `credentials_for_role` are what
    a function and its poller work with. `extra_variables` are added to every function's environment: what a
    real network does by itself, such as the addresses of the services and the authorities to trust.
    """

    def __init__(  # noqa: PLR0913 - the parts of a service are given by name, once
        self,
        session: boto3.Session,
        aws_url: str,
        *,
        credentials_for_role: Callable[[str], RoleCredentials],
        journal: Journal,
        code_bucket: str,
        folder: Path,
        settings: SandboxSettings,
        extra_variables: Mapping[str, str] | None = None,
        environments_per_function: int = 1,
        faults: Faults | None = None,
    ) -> None:
        self._faults = faults
        self._session = session
        self._aws_url = aws_url
        self._credentials_for_role = credentials_for_role
        self._journal = journal
        self._code_bucket = code_bucket
        self._folder = folder / "lambda"
        self._settings = settings
        self._extra_variables = {"AWS_ENDPOINT_URL": aws_url, **(extra_variables or {})}
        self._environments = environments_per_function
        self._functions: dict[str, Function] = {}
        self._pollers: list[SqsEventSource] = []
        self._patches = without_own_event_sources()
        self._invoking = invoking(self._find)

    def start(self) -> LambdaService:
        """Finds the enabled mappings, starts their functions and begins to poll."""
        self._patches.apply()
        self._invoking.apply()
        client = self._session.client("lambda", endpoint_url=self._aws_url)
        for page in client.get_paginator("list_event_source_mappings").paginate():
            for found in page["EventSourceMappings"]:
                if found["State"] == "Enabled":
                    self._add(found)
        for function in self._functions.values():
            if function.configuration.name not in self._settings.cold_functions:
                function.start()
        for poller in self._pollers:
            poller.start()
        return self

    def stop(self) -> None:
        """Ends pollers and processes; messages in flight turn up again, as in the cloud."""
        for poller in self._pollers:
            poller.ask_to_stop()
        for function in self._functions.values():
            function.stop()
        for poller in self._pollers:
            poller.join(5)
        for function in self._functions.values():
            function.stop()  # an invocation that was in flight may have started a process again
        self._invoking.remove()
        self._patches.remove()

    def _find(self, name: str) -> Function | None:
        return next((each for each in self._functions.values() if each.configuration.name == name), None)

    def process_ids(self, function_name: str) -> list[int]:
        """The runtime processes of a function, for tests that kill them."""
        return next(
            function.process_ids
            for function in self._functions.values()
            if function.configuration.name == function_name
        )

    def kill(self, function_name: str) -> list[int]:
        """SIGKILLs the processes of a function, which start again with its next event. Raises LookupError."""
        for function in self._functions.values():
            if function.configuration.name == function_name:
                return function.kill()
        raise LookupError(f"no function {function_name}")

    def log_of(self, function_name: str) -> Path:
        """The file with everything that a function's processes printed."""
        return self._folder / function_name / "function.log"

    def _add(self, found: EventSourceMappingConfigurationTypeDef) -> None:
        account_id, queue_name = found["EventSourceArn"].split(":")[4:]
        mapping = EventSourceMapping(
            queue_arn=found["EventSourceArn"],
            queue_url=f"{self._aws_url}/{account_id}/{queue_name}",
            function_arn=found["FunctionArn"],
            batch_size=found["BatchSize"],
            window_seconds=found.get("MaximumBatchingWindowInSeconds", 0) * self._settings.sqs_batch_window_scale,
            reports_failures="ReportBatchItemFailures" in found.get("FunctionResponseTypes", []),
        )
        function = self._functions.get(mapping.function_arn) or self._load(mapping.function_arn)
        self._functions[mapping.function_arn] = function
        credentials = self._credentials_for_role(function.configuration.role)
        session = session_of(
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.session_token,
            region=function.configuration.region,
        )
        # A poller of Lambda polls again anyway: it need not repeat one request for long.
        sqs = session.client("sqs", endpoint_url=self._aws_url, config=Config(retries={"total_max_attempts": 2}))
        most = found.get("ScalingConfig", {}).get("MaximumConcurrency", self._environments)
        for _ in range(min(most, self._environments)):
            self._pollers.append(SqsEventSource(mapping, function, sqs, self._journal))

    def _load(self, function_arn: str) -> Function:
        configuration = load_configuration(
            self._session,
            self._aws_url,
            function_arn=function_arn,
            code_bucket=self._code_bucket,
            folder=self._folder,
            unpacked=self._settings.unpacked_folder,
        )
        log = self.log_of(configuration.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()  # there from the beginning, even where the function starts later
        return Function(
            configuration,
            self._credentials_for_role,
            # azure-core's own variable: every User-Agent then tells which function asks.
            {**self._extra_variables, "AZURE_HTTP_USER_AGENT": configuration.name},
            environments=self._environments,
            log=log,
            faults=self._faults,
            journal=self._journal,
        )
