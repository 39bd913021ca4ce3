"""`rollcall onboard ID`: asks for the connector of one account or project, which then takes the path of a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from cli import bootstrap, cloud_bootstrap
from cli.halfway import told_halfway
from cli.identifiers import NOUN, CloudOption, IdArgument, cloud_of
from cli.output import FOUND, RefusedError, console, progress, words, write_json
from cli.wording import state_text
from shared.application.documents import record_document
from shared.application.provider_policy import policy_for
from shared.application.request_onboarding import AdoptPorts, adopt, request_onboarding, wait_until_settled
from shared.application.request_project import request_project
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey, AccountRecord, State


def onboard(
    account: IdArgument,
    provider: CloudOption = None,
    wait_seconds: Annotated[
        float, typer.Option("--wait", min=0, help="seconds to wait for the end; 0 returns at once")
    ] = 300.0,
    adopt_theirs: Annotated[
        bool, typer.Option("--adopt", help="take over the account's connector that somebody else made")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on standard output")] = False,
) -> None:
    """Bring one account or project to the state that the policy asks for, and wait for the end.

    It takes the same path as a new one, so doing it twice changes nothing. A project is looked for with this shell's
    Google credentials; the management project's connector is the Organization connector.
    With --adopt a connector that is not ours gets our tag first; the merge keeps what the policy does not say.
    Examples: rollcall onboard 012345678901 · rollcall onboard acme-shop-1 --provider gcp · rollcall onboard
    012345678901 --adopt
    """
    cloud = cloud_of(account, provider, bootstrap.ledger())
    key, ask = _account(account) if cloud is Provider.AWS else _project(account)
    if adopt_theirs:
        ports = AdoptPorts(snapshot=bootstrap.snapshot(), connectors=bootstrap.connectors())
        adopted = adopt(key, policy_for(bootstrap.policy(), cloud), ports)
        progress.print(words(f"adopted {adopted.connector_id}" if adopted else "no connector of another's to adopt"))
    before = bootstrap.ledger().find(key)
    event_id = ask()
    if wait_seconds == 0:
        _say_requested(key, event_id, as_json=as_json)
        return
    gcp = " --provider gcp" if cloud is Provider.GCP else ""
    said = told_halfway(lambda: f"waiting: {account} was asked for", f"see `rollcall status {account}{gcp}`")
    with said, progress.status(f"waiting for {NOUN[cloud]} {account}"):
        record = wait_until_settled(key, before, bootstrap.wait_ports(), timeout_seconds=wait_seconds)
    if record is None:
        raise _unsettled(account, key, wait_seconds)
    if as_json:
        write_json({"event_id": event_id, **record_document(record)})
    else:
        show_end(record)
    if record.state not in {State.CONNECTED, State.EXCLUDED, State.DEPARTED}:
        raise typer.Exit(FOUND)


def _account(account_id: str) -> tuple[AccountKey, Callable[[], str]]:
    """An account goes through the door of its events."""
    key = AccountKey(provider=Provider.AWS, hierarchy_identifier=account_id)
    return key, lambda: request_onboarding(key, bootstrap.event_bus())


def _project(text: str) -> tuple[AccountKey, Callable[[], str]]:
    """A project, by number or id, is looked at here and asked for on the queue. Raises RefusedError."""
    ports = cloud_bootstrap.backfill_ports()
    project = ports.projects.find(text)
    if project is None:
        cloud_bootstrap.refuse_elsewhere(text, ports.policy)
        raise RefusedError(
            f"the organization of the policy has no project {text} that this shell's Google credentials may see",
            remedy="check the id, wait a minute where it is new, and see whose credentials they are",
        )
    key = AccountKey(provider=Provider.GCP, hierarchy_identifier=project.account_id)
    return key, lambda: request_project(project, ports)


def _unsettled(account: str, key: AccountKey, wait_seconds: float) -> RefusedError:
    record, gcp = bootstrap.ledger().find(key), key.provider is Provider.GCP
    said = f": it is {record.state}, {record.reason}" if record is not None and record.reason else ""
    remedy = f"see `rollcall status {account}{' --provider gcp' if gcp else ''}`"
    if record is None and not gcp:
        remedy = (
            "nothing is known about it yet: see whether the organization lists it, then `event_failed` in the log of "
            "the function account-events; for a GCP project's number say --provider gcp"
        )
    return RefusedError(f"{account} did not settle within {wait_seconds:g} s{said}", remedy=remedy)


def show_end(record: AccountRecord) -> None:
    """Where the account ended: its connector, or the reason why it has none."""
    console.print(state_text(record.state), words(record.connector_id or record.reason), soft_wrap=True)
    if record.remedy and not record.connector_id:
        console.print(words(f"remedy: {record.remedy}"))


def _say_requested(key: AccountKey, event_id: str, *, as_json: bool) -> None:
    if as_json:
        write_json({"event_id": event_id, "hierarchy_identifier": key.hierarchy_identifier})
    else:
        console.print(words(f"requested as event {event_id}"))
