"""Each prerequisite of `rollcall doctor`, broken once behind the product's back, and how that is undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import yaml
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient
from moto.cloudformation.models import cloudformation_backends
from moto.iam.models import iam_backends

from sandbox.aws.stack_set_drift import detect
from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER, TOKEN_EXCHANGE_AUDIENCE, FederatedCredential
from sandbox.azure.entra import HUB_AUDIENCE
from sandbox.cloud import QUEUE_SENDER_FUNCTIONS
from sandbox.deployment import ARTEFACT_BUCKET
from sandbox.gcp.intake import SINK, SUBSCRIPTION
from sandbox.policy_upload import publish_policy
from shared.domain.gcp_identities import WorkloadProvider, pool_id
from shared.domain.identity_provider import audiences_of
from shared.domain.profiles import FOUNDATIONAL
from shared.domain.roles import PROVIDER_HOST
from tests.e2e.roll import Identity, Roll

REGION = "us-east-1"
STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
OWNER = "owner-of-the-storage-account"
OURS, READERS = "rollcall-member-roles", "rollcall-reader"
WORKSPACE = (
    "/subscriptions/{}/resourceGroups/rg-defender-connectors/providers/Microsoft.OperationalInsights/workspaces/logs"
)
Undo = Callable[[], object]


@dataclass
class World:
    """The sandbox, the operator's shell, and two accounts that are connected."""

    roll: Roll
    shell: pytest.MonkeyPatch
    accounts: list[str] = field(default_factory=list)
    stranger: str = ""

    @property
    def management(self) -> str:
        return str(self.roll.sandbox.aws.management_account_id)

    @property
    def subscription(self) -> str:
        return self.roll.sandbox.settings.subscription_id

    @property
    def azure(self) -> Any:
        return self.roll.sandbox.azure

    def stack_set(self, name: str) -> Any:
        """As the simulator keeps it."""
        return self.roll.sandbox.aws._sandbox.stack_sets.get(self.management, REGION, name)

    def policy(self) -> bytes:
        """The policy in S3, which is the blob's, too."""
        body: bytes = self.roll.client("s3").get_object(Bucket=ARTEFACT_BUCKET, Key="policy.yaml")["Body"].read()
        return body

    def publish(self, **changes: Any) -> Undo:
        """The changed policy for Azure's side alone; None takes a field away."""
        before = self.policy()
        changed = {key: value for key, value in (yaml.safe_load(before) | changes).items() if value is not None}
        publish_policy(yaml.safe_dump(changed).encode(), self.azure)
        return lambda: publish_policy(before, self.azure)

    def storage(self, kind: Any) -> Any:
        """A client of a storage service, as somebody who may do everything there."""
        url = {QueueServiceClient: self.azure.queue_url, BlobServiceClient: self.azure.blob_url}
        return kind(url.get(kind, self.azure.table_url), credential=Identity(self.roll.sandbox, OWNER))


@dataclass(frozen=True)
class Break:
    """One row of the table: the check that names it, in which words, and whether `--fix` mends it.

    `also` are checks that cannot be told then, or that say the same of something else. `alone`: only that check is
    asked, since everything else would be broken, too.
    """

    key: str
    deed: Callable[[World], Undo]
    fixed: bool = False
    says: str = ""
    state: str = "wrong"
    also: frozenset[str] = frozenset()
    alone: bool = False

    def __str__(self) -> str:
        return f"{self.key}-{self.deed.__name__}"


# The management account


def consolidated_billing(world: World) -> Undo:
    organization = world.roll.sandbox.aws.organization.org
    assert organization is not None
    organization.feature_set = "CONSOLIDATED_BILLING"
    return lambda: setattr(organization, "feature_set", "ALL")


def no_trusted_access(world: World) -> Undo:
    access = world.roll.sandbox.aws._sandbox.stack_sets.organizations_access
    access[world.management] = "DISABLED"
    return lambda: access.update({world.management: "ENABLED"})


def delegated(world: World) -> Undo:
    client, who = world.roll.client("organizations"), {"AccountId": world.accounts[0], "ServicePrincipal": STACK_SETS}
    client.register_delegated_administrator(**who)
    return lambda: client.deregister_delegated_administrator(**who)


def federation_off(world: World) -> Undo:
    world.roll.client("iam").disable_outbound_web_identity_federation()
    return lambda: world.roll.sandbox.aws._issuer.enabled.add(world.management)


def keys_of_a_member(world: World) -> Undo:
    role = f"arn:aws:iam::{world.accounts[0]}:role/OrganizationAccountAccessRole"
    keys = world.roll.sandbox.aws.credentials_for_role(role)
    world.shell.setenv("AWS_ACCESS_KEY_ID", keys.access_key_id)
    world.shell.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_access_key)
    world.shell.setenv("AWS_SESSION_TOKEN", keys.session_token)

    def undo() -> None:
        world.shell.setenv("AWS_ACCESS_KEY_ID", "sandbox")
        world.shell.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
        world.shell.delenv("AWS_SESSION_TOKEN")

    return undo


def stack_rolled_back(world: World) -> Undo:
    stack = cloudformation_backends[world.management][REGION].get_stack("rollcall")
    before = stack.status
    stack.status = "UPDATE_ROLLBACK_FAILED"
    return lambda: setattr(stack, "status", before)


def managed_execution_off(world: World) -> Undo:
    found = world.stack_set(OURS)
    found.managed_execution = False
    return lambda: setattr(found, "managed_execution", True)


def changed_by_hand(world: World) -> Undo:
    found = world.stack_set(OURS)
    instance = next(iter(found.instances.values()))
    instance.changed_by_hand = True
    world.roll.client("cloudformation").detect_stack_set_drift(StackSetName=OURS)

    def undo() -> None:
        instance.changed_by_hand = False
        detect(found)

    return undo


def readers_by_hand(world: World) -> Undo:
    client = world.roll.client("cloudformation")
    client.create_stack_set(
        StackSetName=READERS,
        TemplateBody=json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}),
        PermissionModel="SERVICE_MANAGED",
        AutoDeployment={"Enabled": False},
    )
    return lambda: client.delete_stack_set(StackSetName=READERS)


def member_mode(world: World) -> Undo:
    parent = {"name": "aws-org", "management_account": world.management, "stack_set_name": OURS}
    return world.publish(mode="member", organization_connector=parent, rules=None)


def rule_disabled(world: World) -> Undo:
    events = world.roll.client("events")
    events.disable_rule(Name="rollcall-stack-events")
    return lambda: events.enable_rule(Name="rollcall-stack-events")


def rule_without_target(world: World) -> Undo:
    events, name = world.roll.client("events"), "rollcall-reconcile"
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    events.remove_targets(Rule=name, Ids=[each["Id"] for each in targets])
    return lambda: events.put_targets(Rule=name, Targets=targets)


def queue_policy(output: str, policy: str) -> Callable[[World], Undo]:
    def queue_policy_changed(world: World) -> Undo:
        sqs, url = world.roll.client("sqs"), world.roll.outputs[output]
        before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": before})

    return queue_policy_changed


_MINE = {"Sid": "Mine", "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
_OWN = json.dumps({"Version": "2012-10-17", "Statement": [_MINE]})


def mapping_disabled(world: World) -> Undo:
    client = world.roll.client("lambda")
    [found] = client.list_event_source_mappings(FunctionName="rollcall-stack-events")["EventSourceMappings"]
    client.update_event_source_mapping(UUID=found["UUID"], Enabled=False)
    return lambda: client.update_event_source_mapping(UUID=found["UUID"], Enabled=True)


def schedule_off(world: World) -> Undo:
    client = world.roll.client("scheduler")
    named = {"GroupName": "rollcall", "Name": "rollcall-reconcile"}
    found = client.get_schedule(**named)
    kept = ("ScheduleExpression", "FlexibleTimeWindow", "Target", "Description", "ScheduleExpressionTimezone")

    def become(state: str) -> None:
        client.update_schedule(**named, State=state, **{key: found[key] for key in kept if key in found})

    become("DISABLED")
    return lambda: become("ENABLED")


def bucket_without_versions(world: World) -> Undo:
    s3 = world.roll.client("s3")

    def become(status: str) -> None:
        s3.put_bucket_versioning(Bucket=ARTEFACT_BUCKET, VersioningConfiguration={"Status": status})

    become("Suspended")
    return lambda: become("Enabled")


def bucket_without_tls(world: World) -> Undo:
    s3 = world.roll.client("s3")
    policy = s3.get_bucket_policy(Bucket=ARTEFACT_BUCKET)["Policy"]
    s3.delete_bucket_policy(Bucket=ARTEFACT_BUCKET)
    return lambda: s3.put_bucket_policy(Bucket=ARTEFACT_BUCKET, Policy=policy)


def template_with_another_role(world: World) -> Undo:
    found = world.stack_set(OURS)
    before = found.template
    found.template = before.replace("RoleName: CspmMonitorAws", "RoleName: CspmMonitorOurs")
    assert found.template != before
    return lambda: setattr(found, "template", before)


def sentinel_made_the_provider(world: World) -> Undo:
    iam = world.roll.client("iam")
    arn = iam.create_open_id_connect_provider(
        Url=f"https://{PROVIDER_HOST}", ClientIDList=["api://sentinel"], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    return lambda: iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)


# The Lambda functions


def function_gone(world: World) -> Undo:
    functions = world.roll.sandbox.lambdas._functions
    arn = next(each for each in functions if each.endswith("stack-events"))
    taken = functions.pop(arn)
    return lambda: functions.update({arn: taken})


def credential(**changes: str) -> Callable[[World], Undo]:
    def credential_changed(world: World) -> Undo:
        directory, issuer = world.azure.directory, world.roll.sandbox.aws.issuer_url
        object_id = directory.get(QUEUE_SENDER).object_id
        prefix = f"arn:aws:iam::{world.management}:role/rollcall-"
        before = [
            FederatedCredential(issuer=issuer, subject=f"{prefix}{function}", audience=TOKEN_EXCHANGE_AUDIENCE)
            for function in QUEUE_SENDER_FUNCTIONS
        ]
        directory._credentials[object_id] = [replace(each, **changes) for each in before]
        return lambda: directory._credentials.update({object_id: before})

    credential_changed.__name__ = f"credential_with_another_{next(iter(changes))}"
    return credential_changed


def sender_without_role(world: World) -> Undo:
    role, scope = (
        "Storage Queue Data Message Sender",
        f"{world.azure.directory.storage_scope}/queueServices/default/queues",
    )
    world.azure.directory.unassign(QUEUE_SENDER)
    return lambda: world.azure.directory.assign(QUEUE_SENDER, role, f"{scope}/onboarding")


def policy_gone_in_s3(world: World) -> Undo:
    s3, place = world.roll.client("s3"), {"Bucket": ARTEFACT_BUCKET, "Key": "policy.yaml"}
    body = s3.get_object(**place)["Body"].read()
    s3.delete_object(**place)
    return lambda: s3.put_object(**place, Body=body)


# Azure


def reader_revoked(world: World) -> Undo:
    directory = world.azure.directory
    directory.unassign(FUNCTIONS, "Reader", directory.root_scope)
    return lambda: directory.assign(FUNCTIONS, "Reader", directory.root_scope)


def subscription_disabled(world: World) -> Undo:
    world.roll.seed(subscriptions=[{"state": "Disabled"}])
    return lambda: world.roll.seed(subscriptions=[{"state": "Enabled"}])


def another_resource_group(world: World) -> Undo:
    return world.publish(target=yaml.safe_load(world.policy())["target"] | {"resource_group": "rg-nowhere"})


def no_role_assignments(world: World) -> Undo:
    role = {"identity": FUNCTIONS, "role": "User Access Administrator"}
    world.roll.seed(roles=[role | {"action": "revoke"}])
    return lambda: world.roll.seed(roles=[role])


def unregistered(world: World) -> Undo:
    world.roll.seed(subscriptions=[{"unregistered": ["Microsoft.Security"]}])
    return lambda: world.roll.seed(subscriptions=[{"registered": ["Microsoft.Security"]}])


def plan_off(world: World) -> Undo:
    def become(tier: str) -> None:
        world.roll.seed(pricings=[{"name": "CloudPosture", "properties": {"pricingTier": tier}}])

    become("Free")
    return lambda: become("Standard")


def queue_gone(world: World) -> Undo:
    with world.storage(QueueServiceClient) as service:
        service.delete_queue("sweep-poison")

    def undo() -> None:
        with world.storage(QueueServiceClient) as service:
            service.create_queue("sweep-poison")

    return undo


def table_gone(world: World) -> Undo:
    with world.storage(TableServiceClient) as service:
        service.delete_table("parked")

    def undo() -> None:
        with world.storage(TableServiceClient) as service:
            service.create_table("parked")

    return undo


def container_gone(world: World) -> Undo:
    with world.storage(BlobServiceClient) as service:
        service.delete_container("sweeps")

    def undo() -> None:
        with world.storage(BlobServiceClient) as service:
            service.create_container("sweeps")

    return undo


def nonsense_as_policy(world: World) -> Undo:
    before = world.policy()
    publish_policy(b"version: 1\n", world.azure)
    return lambda: publish_policy(before, world.azure)


def another_audience(world: World) -> Undo:
    before = world.shell
    before.setenv("ROLLCALL_REPORT__AUDIENCE", HUB_AUDIENCE)
    return lambda: before.setenv("ROLLCALL_REPORT__AUDIENCE", _audience())


def _audience() -> str:
    from sandbox.azure.entra import OPERATORS_AUDIENCE  # noqa: PLC0415 - a table's row

    return OPERATORS_AUDIENCE


def take_client_id(account_id: str, host: str, client_id: str) -> Undo:
    """RemoveClientIDFromOpenIDConnectProvider, which moto lacks."""
    provider = iam_backends[account_id]["aws"].open_id_providers[f"arn:aws:iam::{account_id}:oidc-provider/{host}"]
    provider.client_id_list.remove(client_id)
    return lambda: provider.client_id_list.append(client_id)


def hub_audience_gone(world: World) -> Undo:
    host = f"sts.windows.net/{world.roll.sandbox.settings.tenant_id}/"
    return take_client_id(world.management, host, HUB_AUDIENCE)


def hub_takes_no_role(world: World) -> Undo:
    """As a service control policy or another organization id would have it."""
    iam, where = world.roll.client("iam"), {"RoleName": "rollcall-reader-hub", "PolicyName": "list-and-look"}
    policies = iam_backends[world.management]["aws"].get_role(where["RoleName"]).policies
    before = policies[where["PolicyName"]]
    document = json.loads(before) if isinstance(before, str) else before
    kept = [each for each in document["Statement"] if each["Sid"] != "TakeTheReaderRole"]
    iam.put_role_policy(**where, PolicyDocument=json.dumps(document | {"Statement": kept}))
    return lambda: policies.update({where["PolicyName"]: before})


def client_id_taken_off(world: World) -> Undo:
    return take_client_id(world.stranger, PROVIDER_HOST, audiences_of(FOUNDATIONAL)[0])


def workspace_without_solution(world: World) -> Undo:
    workspace = WORKSPACE.format(world.subscription)
    world.shell.setenv("ROLLCALL_WORKSPACE", workspace)
    group, _, rest = workspace.partition("/providers/")
    kind = {"type": "Microsoft.OperationalInsights/workspaces", "name": rest.rpartition("/")[2]}
    world.roll.seed(resources=[{"id": workspace, **kind}])
    solution = f"{group}/providers/Microsoft.OperationsManagement/solutions/Security(logs)"
    return lambda: world.roll.seed(
        resources=[{"id": solution, "type": "Microsoft.OperationsManagement/solutions", "name": "Security(logs)"}]
    )


# Google


def google_binding_gone(world: World) -> Undo:
    google = world.roll.sandbox.google
    where = f"serviceAccounts/{google.service_account}", "roles/iam.workloadIdentityUser", google.member
    world.roll.sandbox.gcp.access.revoke(*where)
    return lambda: world.roll.sandbox.gcp.access.grant(*where)


def defender_provider_disabled(world: World) -> Undo:
    google, tenant = world.roll.sandbox.google, world.roll.sandbox.settings.tenant_id
    pool = f"projects/{google.management_number}/locations/global/workloadIdentityPools/{pool_id(tenant)}"
    provider = world.roll.sandbox.gcp.identities.providers[f"{pool}/providers/{WorkloadProvider.CSPM}"]
    provider["disabled"] = True
    return lambda: provider.pop("disabled")


def sink_disabled(world: World) -> Undo:
    gcp = world.roll.sandbox.gcp
    sink = gcp.intake.sinks[f"organizations/{gcp.organization}/sinks/{SINK}"]
    sink["disabled"] = True
    return lambda: sink.pop("disabled")


def pushes_without_token(world: World) -> Undo:
    number = world.roll.sandbox.google.management_number
    push = world.roll.sandbox.gcp.intake.subscriptions[f"projects/{number}/subscriptions/{SUBSCRIPTION}"]["pushConfig"]
    token = push.pop("oidcToken")
    return lambda: push.update(oidcToken=token)


# Both clouds


def two_policies(world: World) -> Undo:
    return world.publish(exclusions={"ou_paths": ["/Elsewhere"]})


@contextmanager
def broken(each: Break, world: World) -> Iterator[ExitStack]:
    """Breaks it; `close` undoes it, and where nobody has, the end does. `pop_all` says that it is mended already."""
    with ExitStack() as undo:
        undo.callback(each.deed(world))
        yield undo


_NOT_ASKED = frozenset({"role-assignments"})
BREAKS = (
    Break("aws-caller", keys_of_a_member, alone=True, says="the caller is account"),
    Break("aws-organization-features", consolidated_billing),
    Break("aws-stack-sets-trusted", no_trusted_access, fixed=True),
    Break("aws-delegated-administrator", delegated, state="advice"),
    Break("aws-outbound-federation", federation_off, fixed=True),
    Break("aws-stack", stack_rolled_back, says="UPDATE_ROLLBACK_FAILED"),
    Break("aws-stack-set", managed_execution_off, says="managed execution is off"),
    Break("aws-stack-set-drift", changed_by_hand, says="1 instance(s) had drifted"),
    Break("aws-reader-stack-set", readers_by_hand, says="automatic deployment is off"),
    Break("aws-management-stack", member_mode, also=frozenset({"aws-identity-provider"})),
    Break("aws-rules", rule_disabled, fixed=True, says="it is disabled"),
    Break("aws-rules", rule_without_target, says="it does not send to"),
    Break("aws-queue-policies", queue_policy("StackEventsQueueUrl", ""), fixed=True, says="does not let in the rule"),
    Break("aws-queue-policies", queue_policy("AccountEventsQueueUrl", _OWN), says="left alone"),
    Break("aws-event-sources", mapping_disabled, fixed=True),
    Break("aws-schedule", schedule_off, state="advice"),
    Break("aws-bucket", bucket_without_versions, fixed=True, says="keeps no versions"),
    Break("aws-bucket", bucket_without_tls, fixed=True, says="without TLS"),
    Break("aws-template", template_with_another_role, says="CspmMonitorAws"),
    Break("aws-identity-provider", sentinel_made_the_provider, says="lacks the client ids"),
    Break(
        "lambda-answers",
        function_gone,
        state="could not tell",
        says="ResourceNotFoundException",
        also=frozenset({"lambda-token", "entra-federated-credential", "lambda-queue", "lambda-policy"}),
    ),
    Break("lambda-token", federation_off, also=frozenset({"entra-federated-credential", "lambda-queue"})),
    Break(
        "entra-federated-credential",
        credential(issuer="https://another.example"),
        says="AADSTS700211",
        also=frozenset({"lambda-queue"}),
    ),
    Break(
        "entra-federated-credential",
        credential(subject="arn:aws:iam::1:role/x"),
        says="AADSTS700213",
        also=frozenset({"lambda-queue"}),
    ),
    Break(
        "entra-federated-credential",
        credential(audience="api://x"),
        says="AADSTS700212",
        also=frozenset({"lambda-queue"}),
    ),
    Break("lambda-queue", sender_without_role),
    Break("lambda-policy", policy_gone_in_s3),
    Break("reader-at-root", reader_revoked, says="may not read there"),
    Break("subscription-usable", subscription_disabled, says="Disabled"),
    Break("resource-group", another_resource_group, also=_NOT_ASKED),
    Break("role-assignments", no_role_assignments, says="roleAssignments/write"),
    Break("provider-registered", unregistered, fixed=True, also=frozenset({"subscription-plans"})),
    Break("subscription-plans", plan_off, says="CloudPosture"),
    Break("storage-queues", queue_gone, fixed=True, says="sweep-poison"),
    Break("storage-tables", table_gone, says="parked"),
    Break("storage-containers", container_gone, says="sweeps"),
    Break("functions-policy", nonsense_as_policy, alone=True),
    Break("function-app", another_audience, alone=True),
    Break("hub-role", hub_audience_gone, also=frozenset({"reader-roles", "sentinel-first"})),
    Break("reader-roles", hub_takes_no_role, also=frozenset({"sentinel-first"})),
    Break("sentinel-first", client_id_taken_off, says="lacks api://"),
    Break("workspace-solution", workspace_without_solution),
    Break("gcp-access", google_binding_gone, also=frozenset({"gcp-identities"})),
    Break("gcp-identities", defender_provider_disabled, says="disabled"),
    Break("gcp-sink", sink_disabled),
    Break("gcp-push", pushes_without_token, says="without a token"),
    Break("policy-skew", two_policies, says="differ"),
)
ADVISED = {
    "cluster-egress": "172.212.245.192/28, 48.209.1.192/28",
    "rollcall-egress": "login.microsoftonline.com",
    "siem-filter": 'sessionIssuer.userName = "CspmMonitorAws"',
    "agent-setting": "accounts and projects share its setting",
}
"""Advice, which nothing can break, and values that it has to have."""
