"""infra/aws/template.yaml, applied to the sandbox's AWS, and the functions that it makes, running."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from sandbox.aws.cloud import AwsCloud
from sandbox.certificates import Certificates
from sandbox.cloud import QUEUE_SENDER_FUNCTIONS
from sandbox.config import SandboxSettings
from sandbox.deployment import TEMPLATE, Deployment, DeploymentError, deploy
from sandbox.journal import Journal
from sandbox.lambda_service.emulator import without_own_event_sources
from sandbox.lambda_service.service import LambdaService
from shared.adapters.aws.template_bucket import S3TemplateBucket
from shared.domain.template_rollout import bucket_findings
from tests.infra.member_roles import GROUPS, STRINGS

EVENTS = Path(__file__).parents[1] / "fixtures" / "aws"
TENANT = "5f0d3b52-8a7e-4c43-9d3e-6d1c7f0e2a10"
PARAMETERS = {
    "TenantId": TENANT,
    "ClientId": "0a1b2c3d-0000-4000-8000-000000000001",
    "QueueServiceUri": "https://localhost:1/devstoreaccount1",
    "RetryDelaySeconds": "30",
}
PROBE = textwrap.dedent(
    """
    import json, os

    def handler(event, context):
        for record in event["Records"]:
            print(json.dumps({"event": json.loads(record["body"]), "environment": dict(os.environ)}))
        return {"batchItemFailures": []}
    """
)


class Sandbox:
    """The AWS of a sandbox, ready to deploy to."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal()
        self.settings = SandboxSettings(folder=folder, sqs_batch_window_scale=0.0)
        self.cloud = AwsCloud(self.journal, self.settings, Certificates(folder / "certificates")).start()
        self.cloud.prepare_organization()
        self.patches = without_own_event_sources()
        self.patches.apply()
        self.session = boto3.Session("testing", "testing", region_name=self.cloud.region)

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.cloud.url)  # type: ignore[call-overload]  # by name

    def deploy(self, **options: Any) -> Deployment:
        return deploy(self.session, self.cloud.url, policy=b"version: 1\n", **({"parameters": PARAMETERS} | options))

    def put_event(self, event: dict[str, Any]) -> None:
        entry = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
        }
        assert self.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def received(self, queue_url: str) -> list[dict[str, Any]]:
        answer = self.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    made = Sandbox(tmp_path)
    yield made
    made.patches.remove()
    made.cloud.stop()


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def account_event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def test_the_stack_set_takes_a_template_of_the_portal(sandbox: Sandbox) -> None:
    portal = EVENTS.parent / "templates" / "portal.default.json"
    sandbox.deploy(member_template=portal, parameters=PARAMETERS | {"MemberTemplateFrom": "portal"})
    stack_set = sandbox.client("cloudformation").describe_stack_set(StackSetName="rollcall-member-roles")["StackSet"]
    assert (stack_set["TemplateBody"], stack_set.get("Parameters", [])) == (portal.read_text(), [])


def test_template_deploys_with_everything_that_it_declares(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    found = sandbox.client("lambda").list_functions()["Functions"]
    assert {function["FunctionName"] for function in found} == {f"rollcall-{name}" for name in QUEUE_SENDER_FUNCTIONS}
    for function in found:
        variables = function["Environment"]["Variables"]
        assert variables["ROLLCALL_POLICY"] == f"s3://{deployment.bucket}/policy.yaml"
        assert variables["ROLLCALL_TENANT_ID"] == TENANT
    stack_set = sandbox.client("cloudformation").describe_stack_set(StackSetName="rollcall-member-roles")["StackSet"]
    assert deployment.outputs["StackSetId"] == stack_set["StackSetId"]
    assert stack_set["PermissionModel"] == "SERVICE_MANAGED"
    assert stack_set["AutoDeployment"]["Enabled"] is False
    assert stack_set["ManagedExecution"]["Active"] is True
    assert {item["ParameterKey"]: item["ParameterValue"] for item in stack_set["Parameters"]} == {
        "TenantId": TENANT,
        "IdentityProvider": "create",
        **dict.fromkeys(GROUPS, "false"),
        **dict.fromkeys(STRINGS, ""),
    }
    body = sandbox.client("s3").get_object(Bucket=deployment.bucket, Key="policy.yaml")["Body"].read()
    assert body == b"version: 1\n"


@pytest.mark.parametrize("name", ["CreateAccountResult.SUCCEEDED", "CreateAccountResult.FAILED", "rollcall.own"])
def test_account_event_reaches_its_queue(sandbox: Sandbox, name: str) -> None:
    deployment = sandbox.deploy()
    event = account_event(name)
    sandbox.put_event(event)
    (received,) = sandbox.received(deployment.outputs["AccountEventsQueueUrl"])
    assert received["detail"] == event["detail"]
    assert received["account"] == sandbox.cloud.management_account_id
    assert sandbox.received(deployment.outputs["StackEventsQueueUrl"]) == []


def test_only_finished_instances_of_our_stack_set_reach_their_queue(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    name, account = deployment.outputs["StackSetId"], sandbox.cloud.management_account_id
    ours = account_event("StackInstance.SUCCEEDED")
    ours["detail"]["stack-set-arn"] = f"arn:aws:cloudformation:us-east-1:{account}:stackset/{name}"
    foreign = account_event("StackInstance.SUCCEEDED")
    running = json.loads(json.dumps(ours).replace("SUCCEEDED", "RUNNING"))
    for event in (foreign, running, ours):
        sandbox.put_event(event)
    (received,) = sandbox.received(deployment.outputs["StackEventsQueueUrl"])
    assert received["detail"] == ours["detail"]


def test_a_request_for_the_comparison_reaches_its_queue_and_no_other(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    event = {"source": "rollcall.reconcile", "detail-type": "Reconciliation Requested", "detail": {"run": "daily"}}
    sandbox.put_event(event)
    (received,) = sandbox.received(deployment.outputs["ReconcileQueueUrl"])
    assert received["detail"] == event["detail"]
    for queue in ("AccountEvents", "StackEvents"):
        assert sandbox.received(deployment.outputs[f"{queue}QueueUrl"]) == []


def test_the_comparison_may_put_our_own_events_only(sandbox: Sandbox) -> None:
    deployment = sandbox.deploy()
    role = sandbox.cloud.credentials_for_role(deployment.outputs["ReconcileAccountsRoleArn"])
    session = boto3.Session(role.access_key_id, role.secret_access_key, role.session_token, region_name="us-east-1")
    events = session.client("events", endpoint_url=sandbox.cloud.url)

    def entries(*sources: str) -> list[Any]:
        return [{"Source": source, "DetailType": "t", "Detail": "{}"} for source in sources]

    assert events.put_events(Entries=entries("rollcall", "rollcall.reconcile"))["FailedEntryCount"] == 0
    with pytest.raises(ClientError, match="AccessDenied"):
        events.put_events(Entries=entries("rollcall", "aws.organizations"))


def test_queue_without_its_policy_gets_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    changed = tmp_path / "template.yaml"
    text = TEMPLATE.read_text()
    start, end = text.index("  AccountEventsQueuePolicy:"), text.index("  AccountEventsDeadLetterQueuePolicy:")
    changed.write_text(text[:start] + text[end:])
    deployment = sandbox.deploy(template=changed)
    sandbox.put_event(account_event("CreateAccountResult.SUCCEEDED"))
    assert sandbox.received(deployment.outputs["AccountEventsQueueUrl"]) == []


def test_refused_template_names_the_reasons(sandbox: Sandbox, tmp_path: Path) -> None:
    changed = tmp_path / "template.yaml"
    changed.write_text(TEMPLATE.read_text().replace("Type: AWS::Logs::LogGroup", "Type: AWS::Logs::LogGruop"))
    with pytest.raises(DeploymentError, match="LogGruop"):
        sandbox.deploy(template=changed)


def test_member_template_that_is_missing_fails_the_stack_set(sandbox: Sandbox) -> None:
    missing = {"MemberTemplateUrl": "https://nowhere.s3.us-east-1.amazonaws.com/member-roles.yaml"}
    with pytest.raises(DeploymentError, match="MemberRoles"):
        sandbox.deploy(parameters=PARAMETERS | missing)


def test_deployed_function_gets_the_event_with_its_role_and_settings(sandbox: Sandbox, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for folder in ("lambdas/account_events", "lambdas/stack_events", "lambdas/reconcile_accounts", "shared"):
        (root / folder).mkdir(parents=True)
    for name in ("account_events", "stack_events", "reconcile_accounts"):
        (root / "lambdas" / name / "handler.py").write_text(PROBE)
    deployment = sandbox.deploy(root=root)
    service = LambdaService(
        sandbox.session,
        sandbox.cloud.url,
        credentials_for_role=sandbox.cloud.credentials_for_role,
        journal=sandbox.journal,
        code_bucket=deployment.bucket,
        folder=tmp_path,
        settings=sandbox.settings,
        extra_variables={"SSL_CERT_FILE": "/ca.pem"},
    ).start()
    try:
        event = account_event("CreateAccountResult.SUCCEEDED")
        sandbox.put_event(event)
        eventually(lambda: bool(sandbox.journal.entries(operation="lambda:Invoke")))
        (entry,) = sandbox.journal.entries(operation="lambda:Invoke")
        assert entry.detail | {"request_id": ""} == {
            "function": "rollcall-account-events",
            "records": 1,
            "failures": 0,
            "request_id": "",
        }
        seen = json.loads(service.log_of("rollcall-account-events").read_text().splitlines()[0])
        assert seen["event"]["detail"] == event["detail"]
        environment = seen["environment"]
        assert environment["ROLLCALL_QUEUE__QUEUESERVICEURI"] == PARAMETERS["QueueServiceUri"]
        assert environment["AWS_ENDPOINT_URL"] == sandbox.cloud.url
        assert environment["SSL_CERT_FILE"] == "/ca.pem"
        roles = {deployment.outputs[f"{name}RoleArn"] for name in ("AccountEvents", "StackEvents", "ReconcileAccounts")}

        def pollers() -> set[str]:
            return {found.identity for found in sandbox.journal.entries(operation="sqs:ReceiveMessage")}

        eventually(lambda: pollers() == roles)
    finally:
        service.stop()


def test_the_bucket_is_as_its_template_says_and_as_publishing_wants_it(sandbox: Sandbox) -> None:
    s3, bucket = sandbox.client("s3"), sandbox.deploy().bucket
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    [old, broken] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert (old["NoncurrentVersionExpiration"]["NoncurrentDays"], old["Status"]) == (365, "Enabled")
    assert broken["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    place = S3TemplateBucket(s3, bucket=bucket, key="roles.yaml", region="us-east-1", owner=lambda: "123456789012")
    facts = place.inspect()
    assert list(bucket_findings(facts)) == []


def test_the_bucket_stays_when_its_stack_is_deleted(sandbox: Sandbox) -> None:
    bucket = sandbox.deploy().bucket
    sandbox.client("cloudformation").delete_stack(StackName="rollcall-bucket")
    body = sandbox.client("s3").get_object(Bucket=bucket, Key="policy.yaml")["Body"].read()
    assert body == b"version: 1\n"
