"""The whole sandbox: both clouds, joined by what `infra/` deploys and by the settings of the Function App."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import boto3

from sandbox.admin import AdminApi
from sandbox.aws.cloud import AwsCloud
from sandbox.azure.cloud import AzureCloud
from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER
from sandbox.azure.entra import HUB_AUDIENCE
from sandbox.azure.seeding import PREPARED, plant
from sandbox.certificates import Certificates
from sandbox.config import SandboxSettings
from sandbox.deployment import ARTEFACT_BUCKET, TEMPLATE, Deployment, deploy
from sandbox.endpoints import FILE, Endpoints
from sandbox.faults import Faults
from sandbox.functions_app import FunctionHost
from sandbox.gcp.cloud import GcpCloud
from sandbox.gcp.defender import deploy_defender, inspect_project
from sandbox.gcp.deployment import deploy as deploy_google
from sandbox.gcp.pubsub import PushSettings
from sandbox.journal import Journal
from sandbox.lambda_service.service import LambdaService
from sandbox.policy_upload import publish_policy, sample_policy
from sandbox.sessions import session_of
from sandbox.trust import trusting
from sandbox.variables import (
    OPERATOR_ENVIRONMENT,
    PUSH_AUDIENCE,
    READER_ROLE,
    REGION,
    function_settings,
    write_operator_environment,
)

HUB_TEMPLATE = TEMPLATE.parent / "reader-hub.yaml"
QUEUE_SENDER_FUNCTIONS = ("account-events", "stack-events", "reconcile-accounts")


class Sandbox:
    """Starts everything in order and stops it in reverse; nothing outlives it."""

    def __init__(self, settings: SandboxSettings, *, template: Path = TEMPLATE) -> None:
        """Prepares a sandbox in `settings.folder`; `template` is the SAM template to deploy."""
        self.settings = settings
        self.folder = settings.folder.resolve()
        self.journal = Journal()
        self.faults = Faults()
        self._template = template
        self._stack = ExitStack()
        self.function_hosts: list[FunctionHost] = []
        self.stop_requested = threading.Event()

    def start(self) -> Endpoints:
        """Starts the clouds, deploys both sides and publishes the endpoints."""
        try:
            return self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends every service and process, and takes the endpoints away."""
        for name in (FILE, OPERATOR_ENVIRONMENT):
            (self.folder / name).unlink(missing_ok=True)
        self._stack.close()

    def _start(self) -> Endpoints:
        settings = self.settings.model_copy(update={"folder": self.folder})
        self.certificates = Certificates(self.folder / "certificates")
        self._stack.enter_context(trusting(self.certificates.bundle_path))
        self.aws = AwsCloud(self.journal, settings, self.certificates, self.faults)
        self._stack.callback(self.aws.stop)
        self.aws.start()
        self._start_azure(settings)
        session = self.management_session()
        organization = self._make_organization(session)
        policy = sample_policy(organization, self.settings, self.google)
        policy_url = publish_policy(policy, self.azure)
        deployment = self._deploy(session, policy)
        self._deploy_hub(session, organization)
        self._trust_lambdas(deployment)
        self._start_lambdas(session)
        arm = self.settings.arm_endpoint or self.azure.arm_url
        self._start_hosts(settings, function_settings(self, arm, policy_url))
        self._push_project_events()
        admin = AdminApi(self)
        self._stack.callback(admin.stop)
        endpoints = Endpoints(
            aws=self.aws.url,
            arm=arm,
            authority=self.azure.authority_url,
            queue=self.azure.queue_url,
            blob=self.azure.blob_url,
            table=self.azure.table_url,
            functions=self.function_hosts[0].url,
            gcp=self.gcp.url,
            admin=admin.start(),
            ca_bundle=str(self.certificates.bundle_path),
            pid=os.getpid(),
            tenant_id=self.settings.tenant_id,
            subscription_id=self.settings.subscription_id,
        )
        write_operator_environment(self, arm, policy_url, f"s3://{deployment.bucket}/policy.yaml")
        endpoints.write(self.folder)
        return endpoints

    def _start_hosts(self, settings: SandboxSettings, variables: dict[str, str]) -> None:
        for number in range(self.settings.function_hosts):
            host = FunctionHost(
                number,
                self.folder,
                settings,
                variables,
                journal=self.journal,
                faults=self.faults,
            )
            self._stack.callback(host.close)
            host.start()
            self.function_hosts.append(host)
        for host in self.function_hosts:
            host.wait_until_ready()

    def _start_azure(self, settings: SandboxSettings) -> None:
        self.azure = AzureCloud(
            self.journal,
            settings,
            self.certificates,
            self.aws.inspect_account,
            self.faults,
            list_accounts=self.aws.organization_accounts,
        )
        self._stack.callback(self.azure.stop)
        self.azure.start()
        self.aws.believe(self.azure.tokens.claims_of)
        plant(self.azure, PREPARED)
        self._start_google(settings)

    def _start_google(self, settings: SandboxSettings) -> None:
        """Google Cloud takes the tokens of this Entra, and knows the Function App's identity."""
        self.gcp = GcpCloud(self.journal, settings, self.certificates, self.azure.tokens.claims_of, self.faults)
        self._stack.callback(self.gcp.stop)
        self.gcp.start()
        object_id = self.azure.directory.get(FUNCTIONS).object_id
        tenant_id = self.settings.tenant_id
        self.google = deploy_google(self.gcp, tenant_id=tenant_id, object_id=object_id)
        management = self.gcp.hierarchy.find_project(self.google.management_number)
        if management is not None:
            deploy_defender(self.gcp, management, tenant_id)
        self.azure.connectors.gcp.inspect_project = partial(inspect_project, self.gcp)

    def _push_project_events(self) -> None:
        """The organization's sink and its subscription, which pushes to the first Functions host."""
        settings = PushSettings(
            url=f"{self.function_hosts[0].url}/api/gcp/project-events",
            audience=PUSH_AUDIENCE,
            service_account=self.google.push_account,
            first_pause_seconds=self.settings.gcp_push_pause_seconds,
            longest_pause_seconds=60 * self.settings.gcp_push_pause_seconds,  # 10 s and 600 s live
            most_deliveries=100,
        )
        self.gcp.push_to(settings)
        google = self.google
        self.gcp.intake.deploy(self.gcp.organization, google.management_project, google.management_number, settings)

    def kill(self, process: str) -> int:
        """SIGKILLs `functions-N` or `lambda:<function>`; how many processes that were. Raises LookupError.

        A Functions host stays away until `start_host`; Lambda starts a process again with its next event.
        """
        kind, _, function = process.partition(":")
        if kind == "lambda":
            return len(self.lambdas.kill(function))
        host = self._host(process)
        was_running = host.running()
        host.kill()
        return int(was_running)

    def start_host(self, name: str) -> None:
        """Starts the Functions host `functions-N` again and waits until it is ready. Raises LookupError."""
        host = self._host(name)
        host.stop()
        host.start()
        host.wait_until_ready()

    def _host(self, name: str) -> FunctionHost:
        for host in self.function_hosts:
            if host.name == name:
                return host
        raise LookupError(f"no process {name}")

    def management_session(self) -> boto3.Session:
        """A session of the management account's administrator; any key is good for moto."""
        return session_of("sandbox", "sandbox", region=REGION)

    def _make_organization(self, session: boto3.Session) -> str:
        organizations = session.client("organizations", endpoint_url=self.aws.url)
        created = organizations.create_organization(FeatureSet="ALL")["Organization"]
        cloudformation = session.client("cloudformation", endpoint_url=self.aws.url)
        cloudformation.activate_organizations_access()
        iam = session.client("iam", endpoint_url=self.aws.url)
        iam.enable_outbound_web_identity_federation()
        return created["Id"]

    def _deploy(self, session: boto3.Session, policy: bytes) -> Deployment:
        return deploy(
            session,
            self.aws.url,
            policy=policy,
            template=self._template,
            parameters={
                "TenantId": self.settings.tenant_id,
                "ClientId": self.azure.directory.get(QUEUE_SENDER).client_id,
                "AuthorityHost": self.azure.authority_url,
                "QueueServiceUri": self.azure.queue_url,
                "RetryDelaySeconds": str(self.settings.sqs_visibility_seconds),
                "ReadinessFirstDelaySeconds": str(self.settings.readiness_first_delay_seconds),
                "ReadinessBudgetSeconds": str(self.settings.readiness_budget_seconds),
                "ReconcileSeconds": str(self.settings.reconcile_seconds),
                "ReconcileRetryDelaySeconds": str(self.settings.reconcile_visibility_seconds),
            },
        )

    def _deploy_hub(self, session: boto3.Session, organization: str) -> None:
        parameters = {
            "TenantId": self.settings.tenant_id,
            "Audience": HUB_AUDIENCE,
            "IdentityObjectId": self.azure.directory.get(FUNCTIONS).object_id,
            "OrganizationId": organization,
            "ReaderRoleName": READER_ROLE,
        }
        session.client("cloudformation", endpoint_url=self.aws.url).create_stack(
            StackName="rollcall-reader-hub",
            TemplateBody=HUB_TEMPLATE.read_text(encoding="utf-8"),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    def _trust_lambdas(self, deployment: Deployment) -> None:
        prefix = f"arn:aws:iam::{self.aws.management_account_id}:role/{deployment.stack_name}"
        subjects = tuple(f"{prefix}-{function}" for function in QUEUE_SENDER_FUNCTIONS)
        self.azure.directory.trust(QUEUE_SENDER, issuer=self.aws.issuer_url, subjects=subjects)

    def _start_lambdas(self, session: boto3.Session) -> None:
        self.lambdas = LambdaService(
            session,
            self.aws.url,
            credentials_for_role=self.aws.credentials_for_role,
            journal=self.journal,
            code_bucket=ARTEFACT_BUCKET,
            folder=self.folder,
            settings=self.settings,
            extra_variables={"REQUESTS_CA_BUNDLE": str(self.certificates.bundle_path)},
            faults=self.faults,
        )
        self._stack.callback(self.lambdas.stop)
        self.lambdas.start()
