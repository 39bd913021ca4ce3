"""Use case of `rollcall policy explain`: what the policy wants for an account or project, and why; it only reads."""

from __future__ import annotations

from dataclasses import dataclass

from shared.application.ports import AccountDirectory, PolicySource
from shared.application.provider_policy import policy_for
from shared.domain.accounts import Account, Provider
from shared.domain.connectors import ConnectorBody, ConnectorId, to_create
from shared.domain.placement import place
from shared.domain.policy import Decision, Mode, Policy, Verdict, decide


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The account as it is now and what follows; `why` says by what its rule matched, empty for the default.

    `body` is what would be PUT where nothing is yet; None where Rollcall makes no connector for this account.
    """

    account: Account
    policy: Policy
    decision: Decision
    why: str
    connector_id: ConnectorId
    body: ConnectorBody | None


def explain_account(
    account_id: str, directory: AccountDirectory, source: PolicySource, provider: Provider = Provider.AWS
) -> Explanation | None:
    """Decides about the account from its present state; None where the organization has none of that id.

    Raises ConfigurationError where the policy is missing or wrong, or says nothing about that cloud; TransientError
    without answer.
    """
    policy = policy_for(source.current(), provider)
    account = directory.find_account(account_id, with_tags=policy.uses_tags)
    return None if account is None else explained(account, policy)


def explained(account: Account, policy: Policy) -> Explanation:
    """What `policy`, which is that of its cloud, wants for an account that is as it is told."""
    decision = decide(policy, account)
    rule = policy.rules[decision.rule - 1] if decision.rule else None
    placement = place(policy, account.account_id, decision.profile, decision.target, account.name)
    makes = decision.verdict is Verdict.INCLUDE and policy.mode is not Mode.NATIVE
    return Explanation(
        account=account,
        policy=policy,
        decision=decision,
        why=(rule.match.match_every(account) or "") if rule else "",
        connector_id=placement.connector_id,
        body=to_create(placement.desired) if makes else None,
    )
