"""What `rollcall replay`, `report`, `status`, `sweep` look at: queues, what the Function App keeps. See `bootstrap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import bootstrap, cloud_bootstrap
from cli.output import progress
from shared.adapters.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.adapters.ledger.sweep_documents import BlobDocuments
    from shared.adapters.ledger.sweep_log import TableSweepLog
    from shared.adapters.queue.sweep_queue import StorageSliceQueue
    from shared.adapters.report.remote import RemoteReport
    from shared.application.replay_ports import GivenUpQueue, ReplayPorts
    from shared.application.report import ReportPorts
    from shared.application.status import QueueGauge
    from shared.domain.report.roll import RollReport


def replay_ports(queue: str) -> ReplayPorts:
    """What `rollcall replay` works with: all queues of given-up messages, or the one named."""
    from shared.adapters.azure.caller import caller_of
    from shared.application.replay_ports import ReplayPorts

    policies = bootstrap.policy_source(None)
    return ReplayPorts(
        queues=tuple(given_up_queues(queue)),
        sender=bootstrap.request_sender(),
        ledger=bootstrap.ledger(),
        policy=policies,
        clock=SystemClock(),
        actor=caller_of(bootstrap.credential()),
        projects=lambda: cloud_bootstrap.projects(policies),
        hidden_seconds=bootstrap.settings().replay.hidden_seconds,
    )


def given_up_queues(name: str) -> Iterator[GivenUpQueue]:
    """All queues of given-up messages, or the one named.

    Who has no AWS credentials is told that AWS's are left out; naming one of them needs credentials.
    """
    import boto3

    from shared.adapters.aws.dead_letters import dead_letter_queues
    from shared.adapters.ledger.parked_bodies import TableParkedBodies
    from shared.adapters.queue.poison_queue import StoragePoisonQueue

    chosen = bootstrap.settings()
    if chosen.queue is None or chosen.ledger is None:
        raise bootstrap.missing(
            "ROLLCALL_QUEUE__QUEUESERVICEURI" if chosen.queue is None else "ROLLCALL_LEDGER__TABLESERVICEURI"
        )
    poison = StoragePoisonQueue(
        bootstrap.credential(),
        queue_endpoint=chosen.queue.queueserviceuri,
        bodies=TableParkedBodies(bootstrap.credential(), table_endpoint=chosen.ledger.tableserviceuri),
        name=chosen.queue.name,
    )
    if name in {"", poison.name}:
        yield poison
    if not name and not _has_aws_credentials():
        progress.print("[yellow]AWS's dead-letter queues are left out: this shell has no AWS credentials[/yellow]")
    elif name != poison.name:
        found = dead_letter_queues(
            boto3.client("sqs", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config()),
            boto3.client("cloudformation", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config()),
            stack_name=chosen.stack_name,
        )
        yield from (each for each in found if name in {"", each.name})


def _has_aws_credentials() -> bool:
    import boto3

    return boto3.Session().get_credentials() is not None


def clock() -> SystemClock:
    """The computer's."""
    return SystemClock()


def slice_queue() -> StorageSliceQueue:
    """The queue `sweep`. Raises ConfigurationError where no storage account is named."""
    from shared.adapters.queue.sweep_queue import StorageSliceQueue

    queue = bootstrap.settings().queue
    if queue is None:
        raise bootstrap.missing("ROLLCALL_QUEUE__QUEUESERVICEURI")
    return StorageSliceQueue(bootstrap.credential(), queue_endpoint=queue.queueserviceuri)


def sweep_documents() -> BlobDocuments:
    """What sweeps keep. Raises ConfigurationError where no container is named."""
    from shared.adapters.ledger.sweep_documents import BlobDocuments

    chosen = bootstrap.settings().sweep
    if chosen is None:
        raise bootstrap.missing("ROLLCALL_SWEEP__CONTAINER")
    return BlobDocuments(bootstrap.credential(), chosen.container)


def sweep_log() -> TableSweepLog:
    """When everything was swept last. Raises ConfigurationError where no ledger is named."""
    from shared.adapters.ledger.sweep_log import TableSweepLog

    chosen = bootstrap.settings().ledger
    if chosen is None:
        raise bootstrap.missing("ROLLCALL_LEDGER__TABLESERVICEURI")
    return TableSweepLog(bootstrap.credential(), table_endpoint=chosen.tableserviceuri)


def report_ports() -> ReportPorts:
    """What `rollcall report` works with, by the operator's own rights."""
    from shared.application.report import ReportPorts

    return ReportPorts(
        ledger=bootstrap.ledger(),
        documents=sweep_documents(),
        gauges=tuple(queue_gauges()),
        sweeps=sweep_log(),
        clock=SystemClock(),
    )


def remote_report(url: str) -> RemoteReport | None:
    """The Function App's report: of `url`, or of the setting; None where neither names one."""
    chosen = bootstrap.settings().report
    if not (url or chosen.url):
        return None
    if not chosen.audience:
        raise bootstrap.missing("ROLLCALL_REPORT__AUDIENCE")
    from shared.adapters.report.remote import RemoteReport

    return RemoteReport(bootstrap.credential(), url=url or chosen.url, audience=chosen.audience)


def page_of(report: RollReport) -> bytes:
    """The report as a page."""
    from shared.adapters.report import page

    return page.page_of(report).html.encode()


def queue_gauges() -> Iterator[QueueGauge]:
    """How deep the queues are: Azure's where the setting names them, AWS's where the shell may ask there."""
    import boto3

    from shared.adapters.aws.queue_gauge import SqsGauge
    from shared.adapters.queue.depth import StorageQueueGauge
    from shared.adapters.queue.sweep_queue import SWEEP

    chosen = bootstrap.settings()
    if chosen.queue is not None:
        who, endpoint = bootstrap.credential(), chosen.queue.queueserviceuri
        yield StorageQueueGauge(who, queue_endpoint=endpoint, name=chosen.queue.name)
        yield StorageQueueGauge(who, queue_endpoint=endpoint, name=SWEEP, poison_may_be_absent=True)
    if _has_aws_credentials():
        yield SqsGauge(
            boto3.client("sqs", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config()),
            boto3.client("cloudformation", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config()),
            boto3.client("cloudwatch", region_name=bootstrap.BUS_REGION, config=bootstrap.aws_config()),
            stack_name=chosen.stack_name,
            clock=SystemClock(),
        )
