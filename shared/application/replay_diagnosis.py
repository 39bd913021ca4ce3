"""Whether the cause of a given-up message is gone, from what is known of it and its account now."""

from __future__ import annotations

from shared.application.ports import PolicySource
from shared.application.refusals import UNREADABLE_PUSH
from shared.application.replay_ports import GivenUp
from shared.domain.accounts import Account, AccountState
from shared.domain.ledger import AccountRecord
from shared.domain.policy import Policy, Verdict, decide
from shared.domain.replay import UNREADABLE, Diagnosis, Evidence, diagnose
from shared.messages.connector_request import Action, ConnectorRequest


def diagnosis_of(message: GivenUp, record: AccountRecord | None, source: PolicySource) -> Diagnosis:
    """What became of the cause; `record` is the account's line. Raises TransientError, ConfigurationError."""
    request = message.request
    policy = source.current()
    its_policy = None if request is None else policy.of(request.data.provider)
    silent = request is not None and its_policy is None
    evidence = Evidence(
        fault=message.fault or ("the policy says nothing about projects" if silent else ""),
        was_unreadable=message.reason_class in {UNREADABLE, UNREADABLE_PUSH.key},
        asks_connector=request is not None and request.data.action is Action.CONNECT,
        record=record,
        given_up_at=message.since,
        excluded=_excluded(request, its_policy) if request is not None and its_policy is not None else "",
        policy_changed=request is not None and request.policy_hash not in {"", policy.content_hash},
        noun="account" if its_policy is None else its_policy.noun,
    )
    return diagnose(evidence)


def _excluded(request: ConnectorRequest, policy: Policy) -> str:
    """Why `policy`, that of its cloud, leaves the account out as the message describes it; empty where it does not."""
    account_id = request.data.hierarchy_identifier
    account = Account(
        account_id=account_id,
        name=request.data.name,
        state=AccountState.ACTIVE,
        ou_path=request.data.ou_path,
        tags=request.data.tags,
        is_management=policy.is_organization_connector_s(account_id),
        provider=request.data.provider,
    )
    decision = decide(policy, account)
    return decision.reason if decision.verdict is Verdict.EXCLUDE else ""
