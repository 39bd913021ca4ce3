"""What becomes of an account that takes no part, or no part any more, decided before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from shared.domain.accounts import Account, AccountState
from shared.domain.findings import ACCOUNT_CLOSED, ACCOUNT_DEPARTED, PROJECT_DELETED, PROJECT_DEPARTED, FindingKind
from shared.domain.ledger import State
from shared.domain.policy import Decision, Deletions
from shared.domain.stack_sets import StackInstance


class InstanceFate(StrEnum):
    """What becomes of the account's stack instance.

    `let_go`: the StackSet forgets it and its stack stays, as AWS lets nobody into the account any more.
    """

    KEEP = "keep"
    DELETE = "delete"
    LET_GO = "let_go"


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """How an account leaves: the state that it is reported in, and what is taken from it.

    `disconnect` says that its connector is to go, which the policy has to allow under `deletions`.
    """

    status: State
    reason: str
    fate: InstanceFate = InstanceFate.KEEP
    disconnect: bool = False
    remedy: str = ""


def leave_excluded(account: Account, decision: Decision, instance: StackInstance | None, may: Deletions) -> Leaving:
    """An account that the policy excludes: only what it still has of ours is taken, and only where `may` says so."""
    takes = may.excluded_accounts and instance is not None and not account.is_management
    return Leaving(
        status=State.EXCLUDED,
        reason=decision.reason,
        fate=InstanceFate.DELETE if takes else InstanceFate.KEEP,
        disconnect=takes,
    )


def leave_closed(account_id: str, decision: Decision, instance: StackInstance | None, may: Deletions) -> Leaving:
    """An account that is closed or about to be: `decision` says in which state it is."""
    return _gone(account_id, decision.reason, ACCOUNT_CLOSED, instance, may)


def leave_departed(account_id: str, said: str, instance: StackInstance | None, may: Deletions) -> Leaving | None:
    """An account that the organization does not list; `said` is how it left, as far as an event told so.

    None where neither an event nor a stack instance says that the account was ever ours.
    """
    if not said and instance is None:
        return None
    reason = said or "the organization does not list it any more"
    return _gone(account_id, reason, ACCOUNT_DEPARTED, instance, may)


def leave_project(project: Account, decision: Decision, may: Deletions) -> Leaving:
    """A project that takes no part, or is to be deleted: it has nothing of ours but its connector."""
    if project.state is AccountState.ACTIVE:
        return Leaving(status=State.EXCLUDED, reason=decision.reason, disconnect=may.excluded_accounts)
    return _gone(project.name or project.account_id, decision.reason, PROJECT_DELETED, None, may)


def leave_unseen_project(number: str, said: str, may: Deletions) -> Leaving:
    """A project that nobody can see any more; `said` is what was last heard of it."""
    return _gone(number, said, PROJECT_DEPARTED, None, may)


def spare(leaving: Leaving, most_per_run: int) -> Leaving:
    """The same without what the policy allows only so often in one run: the account is only reported."""
    fate = leaving.fate if leaving.status is State.DEPARTED else InstanceFate.KEEP
    return replace(leaving, fate=fate, disconnect=False, reason=spared(leaving.reason, most_per_run))


def spared(reason: str, most: int) -> str:
    """Why an account has left, and keeps its connector for now: others have used up what the policy allows."""
    told = f"nothing is deleted now: deletions.most_per_run is {most}"
    return f"{reason}; {told}" if reason else told


def _gone(identifier: str, reason: str, kind: FindingKind, instance: StackInstance | None, may: Deletions) -> Leaving:
    finding = kind.found(reason, remedy=kind.remedy.replace("ID", identifier))
    return Leaving(
        status=State.DEPARTED,
        reason=finding.reason,
        fate=InstanceFate.LET_GO if instance is not None else InstanceFate.KEEP,
        disconnect=may.departed_accounts,
        remedy=finding.remedy,
    )
