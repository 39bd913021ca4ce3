"""What is done behind the product's back for a test of the sweep: the words of a planting file, and how each is undone.

What is changed in Azure needs no undoing of its own: `Planter.mend` puts Resource Manager back to what it was.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from azure.data.tables import TableClient, UpdateMode
from azure.storage.queue import QueueServiceClient

from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.governance_rules import TYPE as RULES
from sandbox.azure.standards import ASSIGNMENTS, DEFAULT
from shared.adapters.ledger.sweep_documents import BlobDocuments
from shared.application.sweep_store import SweepStore, find_latest, put_latest
from shared.domain.connectors import ConnectorId
from shared.domain.roles import AUDIENCE_OF, PROVIDER_HOST, Role
from shared.domain.sweep.kinds import ARC_ASSESSMENT, SSM_ASSESSMENT
from shared.domain.sweep.report import RunFacts
from tests.e2e.roll import Identity, wait_until

if TYPE_CHECKING:
    from tests.e2e.planting import Planter

REGION = "us-east-1"


def delete_connector(planter: Planter, account_id: str) -> None:
    planter.resources.delete(planter.body_of(account_id)["id"])


def drop_offering(planter: Planter, account_id: str) -> None:
    body = copy.deepcopy(planter.body_of(account_id))
    body["properties"]["offerings"] = body["properties"]["offerings"][:-1]
    planter.put(body)


def report_unhealthy(planter: Planter, account_id: str) -> None:
    issue = {
        "issueKey": "414af15d-207e-4c63-b8eb-624d1b652e45",
        "issueName": "AWS CloudFormation StackSet name invalid or does not exist",
        "remediationSteps": "<ol><li>Compare the names.</li></ol>",
    }
    planter.report(account_id, "NotHealthy", issue)


def delete_role(planter: Planter, account_id: str) -> None:
    iam, name = planter.roll.inside(account_id), "CspmMonitorAws"
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    trust = json.dumps(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    iam.delete_role(RoleName=name)
    planter.undo.append(lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust))


def unmanaged_machines(planter: Planter, account_id: str) -> None:
    """Defender has discovered two machines and nothing else; one is managed, none is connected to Azure Arc."""
    unmanaged = planter.instance(account_id, "running")
    connector = planter.body_of(account_id)["id"]
    statuses = {SSM_ASSESSMENT: ("Unhealthy", "Healthy"), ARC_ASSESSMENT: ("Unhealthy", "Unhealthy")}
    planter.roll.seed(
        assessments=[
            {
                "connector": connector,
                "resource": f"ec2-instance-{instance}-{REGION}",
                "resource_type": "ec2instance",
                "key": key,
                "status": status,
            }
            for key, by_machine in statuses.items()
            for instance, status in zip((unmanaged, "i-00000000000000001"), by_machine, strict=True)
        ]
    )


def take_client_id(planter: Planter, account_id: str) -> None:
    iam, arn = planter.roll.inside(account_id), f"arn:aws:iam::{account_id}:oidc-provider/{PROVIDER_HOST}"
    known = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)["ClientIDList"]
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)  # moto takes no single one away
    planter.roll.plant_provider(account_id, *(each for each in known if each != AUDIENCE_OF[Role.CSPM_MONITOR]))

    def whole_again() -> None:
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        planter.roll.plant_provider(account_id, *known)

    planter.undo.append(whole_again)


def change_template(planter: Planter, account_id: str) -> None:
    instance = planter.roll.client("cloudformation").describe_stack_instance(
        StackSetName="rollcall-member-roles", StackInstanceAccount=account_id, StackInstanceRegion=REGION
    )["StackInstance"]
    client, stack = planter.inside(account_id, "cloudformation"), instance["StackId"]
    template = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    parameters = client.describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]

    def update(body: str) -> None:
        client.update_stack(
            StackName=stack,
            TemplateBody=body,
            Parameters=[{"ParameterKey": each["ParameterKey"], "UsePreviousValue": True} for each in parameters],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

    update(f"{template}# mended by hand\n")
    planter.undo.append(lambda: update(template))


def move_connector(planter: Planter, account_id: str) -> None:
    body, elsewhere = copy.deepcopy(planter.body_of(account_id)), "rg-elsewhere"
    planter.roll.seed(subscriptions=[{"resource_groups": [elsewhere]}])
    planter.resources.delete(body["id"])
    place = replace(ConnectorId.parse(body["id"]), resource_group=elsewhere)
    planter.put(body | {"id": str(place)})


def grow_older(planter: Planter, account_id: str) -> None:
    """The account was connected two hours ago: what follows its connector is not missed at once."""
    ledger = TableClient(
        planter.roll.sandbox.azure.table_url, "accounts", credential=Identity(planter.roll.sandbox, FUNCTIONS)
    )
    with ledger:
        line = ledger.get_entity("aws", account_id)
        line["connected_at"] = datetime.now(UTC) - timedelta(hours=2)
        ledger.update_entity(line, mode=UpdateMode.REPLACE)


def unassign_standard(planter: Planter, account_id: str) -> None:
    [ours] = [
        each
        for each in planter.resources.of_type(ASSIGNMENTS, planter.body_of(account_id)["id"])
        if each["properties"]["displayName"] != DEFAULT
    ]
    planter.resources.delete(ours["id"])


def change_rule(planter: Planter, account_id: str) -> None:
    [rule] = planter.resources.of_type(RULES, planter.body_of(account_id)["id"])
    planter.put(rule | {"properties": rule["properties"] | {"rulePriority": 900}})


def second_connector(planter: Planter, account_id: str) -> None:
    planter.connector(account_id, f"copy-{account_id}", rollcall=planter.organization)


def connector_by_hand(planter: Planter, account_id: str) -> None:
    planter.connector(account_id, f"aws-{account_id}", rollcall=planter.organization)


def foreign_connector(planter: Planter, account_id: str) -> None:
    planter.connector(account_id, f"theirs-{account_id}", owner="somebody")


def add_paid_plan(planter: Planter, account_id: str) -> None:
    body = copy.deepcopy(planter.body_of(account_id))
    body["properties"]["offerings"].append({"offeringType": "DefenderCspmAws"})
    planter.put(body)


def end_trial(planter: Planter, account_id: str) -> None:
    body = copy.deepcopy(planter.body_of(account_id))
    ends_at = datetime.now(UTC) + timedelta(days=3)
    body["properties"]["hierarchyIdentifierTrialEndDate"] = f"{ends_at:%Y-%m-%dT%H:%M:%S}.0000000Z"
    planter.put(body)


def forget_instance(planter: Planter, account_id: str) -> None:
    planter.roll.client("cloudformation").delete_stack_instances(
        StackSetName="rollcall-member-roles",
        DeploymentTargets={
            "OrganizationalUnitIds": [planter.roll.client("organizations").list_roots()["Roots"][0]["Id"]],
            "Accounts": [account_id],
            "AccountFilterType": "INTERSECTION",
        },
        Regions=[REGION],
        RetainStacks=False,
    )

    def deploy_again() -> None:
        planter.roll.ask_onboarding(account_id)
        wait_until(lambda: bool(instances()), "the roles are deployed again")

    def instances() -> list[object]:
        client = planter.roll.client("cloudformation")
        found = client.list_stack_instances(StackSetName="rollcall-member-roles", StackInstanceAccount=account_id)
        return [each for each in found["Summaries"] if each["Status"] == "CURRENT"]

    wait_until(lambda: not instances(), "the roles are gone")
    planter.undo.append(deploy_again)


def switch_plan_off(planter: Planter) -> None:
    def become(tier: str) -> None:
        planter.roll.seed(pricings=[{"name": "CloudPosture", "properties": {"pricingTier": tier}}])

    become("Free")
    planter.undo.append(lambda: become("Standard"))


def take_role_away(planter: Planter) -> None:
    role = {"identity": FUNCTIONS, "role": "User Access Administrator"}
    planter.roll.seed(roles=[role | {"action": "revoke"}])
    planter.undo.append(lambda: planter.roll.seed(roles=[role]))


def give_up_slice(planter: Planter) -> None:
    credential = Identity(planter.roll.sandbox, "operator")
    with QueueServiceClient(planter.roll.sandbox.azure.queue_url, credential=credential) as service:
        service.get_queue_client("sweep-poison").send_message("e30=")

    def clear() -> None:
        with QueueServiceClient(planter.roll.sandbox.azure.queue_url, credential=credential) as service:
            service.get_queue_client("sweep-poison").clear_messages()

    planter.undo.append(clear)


def give_up_event(planter: Planter) -> None:
    planter.roll.deliver("ReconcileDeadLetterQueue", "{}")
    queue = planter.roll.outputs["ReconcileDeadLetterQueueUrl"]
    planter.undo.append(lambda: planter.roll.client("sqs").purge_queue(QueueUrl=queue))


def miss_sweeps(planter: Planter) -> None:
    """The newest sweep began three days ago."""
    documents = _documents(planter)
    report, version = find_latest(documents)
    assert report is not None
    assert put_latest(documents, replace(report, started_at=report.started_at - timedelta(days=3)), version)


def abandon_sweep(planter: Planter) -> None:
    """One that began five hours ago has a slice that nobody did."""
    documents, began = _documents(planter), datetime.now(UTC) - timedelta(hours=5)
    run = f"{began:%Y%m%dT%H%M%SZ}-00000000"
    SweepStore(documents, run).put_facts(RunFacts(run=run, started_at=began, policy_hash="", slices=1))
    planter.undo.append(lambda: documents.delete(f"runs/{run}/facts.json"))


def _documents(planter: Planter) -> BlobDocuments:
    sandbox = planter.roll.sandbox
    return BlobDocuments(Identity(sandbox, FUNCTIONS), f"{sandbox.azure.blob_url}/sweeps")


DEEDS: dict[str, Callable[[Planter, str], None]] = {
    "delete-connector": delete_connector,
    "drop-offering": drop_offering,
    "report-unhealthy": report_unhealthy,
    "delete-role": delete_role,
    "unmanaged-machines": unmanaged_machines,
    "take-client-id": take_client_id,
    "change-template": change_template,
    "move-connector": move_connector,
    "grow-older": grow_older,
    "unassign-standard": unassign_standard,
    "change-rule": change_rule,
    "second-connector": second_connector,
    "connector-by-hand": connector_by_hand,
    "foreign-connector": foreign_connector,
    "forget-instance": forget_instance,
    "add-paid-plan": add_paid_plan,
    "end-trial": end_trial,
}
"""The words for accounts."""


DEPLOYMENT_DEEDS: dict[str, Callable[[Planter], None]] = {
    "switch-plan-off": switch_plan_off,
    "take-role-away": take_role_away,
    "give-up-slice": give_up_slice,
    "give-up-event": give_up_event,
    "miss-sweeps": miss_sweeps,
    "abandon-sweep": abandon_sweep,
}
"""Its words for what belongs to no account."""
