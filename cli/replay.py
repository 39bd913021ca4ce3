"""`rollcall replay list|show|run|discard`: what was given up, why, and the way back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli import bootstrap, queue_bootstrap
from cli.halfway import told_halfway
from cli.identifiers import cloud_of, clouds_of
from cli.output import FOUND, RefusedError, console, errors, progress, words, write_json
from cli.replay_output import kept_document, messages_table, print_message
from shared.application.documents import (
    message_document,
    results_document,
    shown_document,
)
from shared.application.replay import Done, browse, discard, run, show
from shared.application.replay_ports import GivenUp
from shared.domain.accounts import Provider
from shared.domain.replay import DEAD_LETTERS, Wanted

app = typer.Typer(no_args_is_help=True, help="Messages that were given up: see why, send them again, or discard them.")

QUEUES = ("onboarding-poison", *DEAD_LETTERS)
LEAST_ID = 8

AccountOption = Annotated[
    str, typer.Option("--account", metavar="ID", help="only this account's, or this project's, by number or id")
]
ProviderOption = Annotated[Provider | None, typer.Option("--provider", help="only of this cloud")]
ClassOption = Annotated[
    str, typer.Option("--class", metavar="KEY", help="only with this kind of reason: its heading in docs/runbook.md")
]
OlderOption = Annotated[
    float | None, typer.Option("--older-than", metavar="HOURS", min=0, help="only given up so long ago, or longer")
]
NewerOption = Annotated[
    float | None, typer.Option("--newer-than", metavar="HOURS", min=0, help="only given up within so many hours")
]
QueueOption = Annotated[str, typer.Option("--queue", metavar="NAME", help=f"only this one of: {', '.join(QUEUES)}")]
JsonOption = Annotated[bool, typer.Option("--json", help="one JSON document on standard output")]
IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="messages, by the first 8 characters of their ids or more")
]
AllOption = Annotated[bool, typer.Option("--all", help="every message that the other options leave")]


@app.command("list")
def list_messages(  # noqa: PLR0913, PLR0917 - the options of a command
    account: AccountOption = "",
    provider: ProviderOption = None,
    reason_class: ClassOption = "",
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    queue: QueueOption = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="lines to show")] = 50,
    page: Annotated[int, typer.Option("--page", min=1, help="which so many of them")] = 1,
    as_json: JsonOption = False,
) -> None:
    """List what was given up; nothing is taken away or changed.

    Examples: rollcall replay list · rollcall replay list --class unreadable-message --older-than 24
    """
    wanted = _wanted([], account, provider, reason_class, older_than, newer_than)
    with progress.status("looking through the queues"):
        found = browse(wanted, queue_bootstrap.replay_ports(_queue(queue)))
    shown = found[(page - 1) * limit : page * limit]
    totals = Counter(each.reason_class for each in found)
    if as_json:
        totals_by = {"totals": dict(totals.most_common()), "count": len(found), "page": page}
        write_json(totals_by | {"messages": [message_document(each) for each in shown]})
        return
    if shown:
        console.print(messages_table(shown, console.width, datetime.now(UTC)))
    nothing = "nothing was given up" if wanted == Wanted() and not queue else "no message matches"
    console.print(" · ".join(f"{count} {kind}" for kind, count in totals.most_common()) or nothing)
    if len(found) > len(shown):
        first = (page - 1) * limit
        rest = f"; the next are on --page {page + 1}" if first + len(shown) < len(found) else ""
        span = f"{first + 1} to {first + len(shown)}" if shown else f"page {page} is beyond the last"
        progress.print(f"{span} of {len(found)}{rest if shown else ''}")


@app.command("show")
def show_message(
    message: Annotated[
        str, typer.Argument(metavar="ID", help="a message, by the first 8 characters of its id or more")
    ],
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="write what would go back to the queue to a file")
    ] = None,
    queue: QueueOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show one message, its account's history, and whether its cause is gone.

    Examples: rollcall replay show 5f0c1a2b · rollcall replay show 5f0c1a2b --export message.json
    """
    [identifier] = _ids([message])
    with progress.status("looking through the queues"):
        found = show(identifier, queue_bootstrap.replay_ports(_queue(queue)))
    if found is None:
        raise RefusedError(f"no one message is {identifier}", remedy=_LOOK_AGAIN)
    if export is not None:
        _export(found.message, export)
    if as_json:
        write_json(shown_document(found))
    else:
        print_message(found)


@app.command("run")
def run_messages(  # noqa: PLR0913, PLR0917 - the options of a command
    messages: IdsArgument = None,
    everything: AllOption = False,
    account: AccountOption = "",
    provider: ProviderOption = None,
    reason_class: ClassOption = "",
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    queue: QueueOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would go back, and send nothing")] = False,
    per_second: Annotated[float, typer.Option("--per-second", min=0.1, max=1000, help="how fast")] = 10.0,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="in the place of what the one message says")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send messages back to the queue that they came from, with a fresh retry budget.

    Stopped at any time, run it again: what is done twice changes nothing.
    Examples: rollcall replay run 5f0c1a2b · rollcall replay run --all --class given-up --dry-run
    """
    wanted = _meant(messages, _wanted(messages, account, provider, reason_class, older_than, newer_than), everything)
    if source is not None and len(wanted.message_ids) != 1:
        raise typer.BadParameter("--from needs the id of one message")
    body = None if source is None else _read(source)
    ports = queue_bootstrap.replay_ports(_queue(queue))
    if dry_run:
        found = _followed(run(wanted, ports, per_second=per_second, body=body, dry=True))
        _end(found, "would go back", as_json=as_json, dry=True)
        return
    _end(_followed(run(wanted, ports, per_second=per_second, body=body)), "sent back", as_json=as_json)


@app.command("discard")
def discard_messages(  # noqa: PLR0913, PLR0917 - the options of a command
    reason: Annotated[str, typer.Option("--reason", help="why; it stays in the account's history")],
    messages: IdsArgument = None,
    everything: AllOption = False,
    account: AccountOption = "",
    provider: ProviderOption = None,
    reason_class: ClassOption = "",
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    queue: QueueOption = "",
    export: Annotated[
        Path | None,
        typer.Option("--export", metavar="FILE", help="append each to this file first, as a line of JSON"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be discarded, and do nothing")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete messages for good, with a reason.

    One that names no account has no history to keep the reason: it needs --export.
    Example: rollcall replay discard 5f0c1a2b --reason "the account was closed"
    """
    wanted = _meant(messages, _wanted(messages, account, provider, reason_class, older_than, newer_than), everything)
    if not reason.strip():
        raise typer.BadParameter("a reason is needed", param_hint="--reason")
    ports = queue_bootstrap.replay_ports(_queue(queue))

    def keep(message: GivenUp) -> None:
        line = kept_document(message) | {"discarded_by": ports.actor, "discarded_because": reason}
        try:
            with Path(export or "").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise RefusedError(f"{export} cannot be written: {error.strerror}", remedy="name another file") from error

    found = discard(wanted, ports, reason=reason, keep=keep if export is not None else None, dry=dry_run)
    _end(_followed(found), "would be discarded" if dry_run else "discarded", as_json=as_json, dry=dry_run)


def _wanted(  # noqa: PLR0913, PLR0917 - the options that say which messages are meant
    messages: list[str] | None,
    account: str,
    provider: Provider | None,
    reason_class: str,
    older_than: float | None,
    newer_than: float | None,
) -> Wanted:
    now = datetime.now(UTC)
    return Wanted(
        message_ids=frozenset(_ids(messages or [])),
        account=_checked(account, provider),
        provider=provider,
        reason_class=reason_class,
        older_than=None if older_than is None else now - timedelta(hours=older_than),
        newer_than=None if newer_than is None else now - timedelta(hours=newer_than),
    )


def _checked(account: str, provider: Provider | None) -> str:
    """What --account says, if it can be an account's id or a project's. Raises typer.BadParameter."""
    if account:
        clouds_of(account, provider)
    return account


def _meant(messages: list[str] | None, wanted: Wanted, everything: bool) -> Wanted:
    """Nothing is done to all messages unless that is said, nor to those of two clouds that share a number."""
    if wanted.account:
        cloud_of(wanted.account, wanted.provider, bootstrap.ledger())
    if not messages and not everything:
        raise typer.BadParameter("name the messages, or say --all; see `rollcall replay list`")
    if messages and everything:
        raise typer.BadParameter("--all and names exclude each other")
    return wanted


_LOOK_AGAIN = (
    "see `rollcall replay list`; while somebody else looks through the queue, for two minutes at most, it hides"
)


def _ids(messages: Iterable[str]) -> list[str]:
    for each in messages:
        if len(each) < LEAST_ID:
            raise typer.BadParameter(f"{each!r} is too short: at least {LEAST_ID} characters of a message's id")
    return list(messages)


def _queue(name: str) -> str:
    if name not in {"", *QUEUES}:
        raise typer.BadParameter(f"{name!r} is none of: {', '.join(QUEUES)}", param_hint="--queue")
    return name


def _read(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise RefusedError(f"{source} cannot be read: {error.strerror}", remedy="name another file") from error


def _export(message: GivenUp, export: Path) -> None:
    if message.body is None:
        raise RefusedError("what it says cannot be had", remedy=message.remedy)
    try:
        export.write_bytes(message.body)
    except OSError as error:
        raise RefusedError(f"{export} cannot be written: {error.strerror}", remedy="name another file") from error
    progress.print(words(f"written to {export}"))


def _followed(done: Iterator[Done]) -> list[Done]:
    """What became of all; each that failed is told at once."""
    found: list[Done] = []
    go_on = "run it again: what is done twice changes nothing"
    with (
        told_halfway(lambda: f"after {len(found)} message(s)" if found else "", go_on),
        progress.status("working") as status,
    ):
        for each in done:
            found.append(each)
            status.update(f"{len(found)} done")
            if each.error is not None:
                errors.print(words(f"{each.message.message_id[:LEAST_ID]}: {each.error}", style="red"))
    return found


def _end(done: Sequence[Done], what: str, *, as_json: bool, dry: bool = False) -> None:
    failed = [each for each in done if each.error is not None]
    if as_json:
        write_json(results_document(done, dry=dry))
    else:
        if dry:
            console.print(messages_table([each.message for each in done], console.width, datetime.now(UTC)))
        stays = sum(each.stays for each in done)
        again = f" · {stays} of them somebody else had taken or deleted meanwhile" if stays else ""
        console.print(words(f"{len(done) - len(failed)} {what} · {len(failed)} failed{again}"))
    if failed or not done:
        if not done:
            progress.print(words(f"no message is meant: {_LOOK_AGAIN}"))
        raise typer.Exit(FOUND)
