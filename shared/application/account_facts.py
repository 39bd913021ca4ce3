"""What is known about the account or project of a request: how it is, and which connectors it has."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from shared.application import refusals
from shared.application.onboard_ports import OnboardPorts
from shared.application.ready_project import project_now
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.connectors import ENVIRONMENT_OF, Connector, ConnectorId
from shared.domain.ledger import AccountRecord
from shared.domain.placement import is_ours
from shared.domain.policy import Policy
from shared.messages.connector_request import ConnectorRequest

logger = logging.getLogger(__name__)


def connectors_of(
    account_id: str, policy: Policy, ports: OnboardPorts, record: AccountRecord | None = None
) -> list[Connector]:
    """An account's or project's connectors in the whole tenant; a project's number may have twelve digits, too.

    What seems to be another's is read anew: it may be gone, or ours by now. So is the one that the ledger's `record`
    names, where the snapshot, which lags, does not show it.
    """
    environment = ENVIRONMENT_OF[policy.provider]
    found = [each for each in ports.snapshot.find_by_hierarchy(account_id) if each.environment == environment]
    present: list[Connector] = []
    for connector in found:
        if is_ours(connector, policy):
            present.append(connector)
        elif (actual := ports.connectors.find(connector.connector_id)) is not None:
            ports.snapshot.remember(actual)
            present.append(actual)
    return present + _remembered(record, found, ports)


def _remembered(record: AccountRecord | None, found: Sequence[Connector], ports: OnboardPorts) -> list[Connector]:
    if record is None or not record.connector_id:
        return []
    connector_id = ConnectorId.parse(record.connector_id)
    if any(each.connector_id.same_as(connector_id) for each in found):
        return []
    actual = ports.connectors.find(connector_id)
    if actual is None:
        return []
    ports.snapshot.remember(actual)
    return [actual]


def described(request: ConnectorRequest, policy: Policy) -> Account:
    """The account as the message describes it; this side's policy, which wins, decides about it.

    Raises PermanentError for one of another organization.
    """
    if request.policy_hash != policy.content_hash:
        logger.warning("policy_skew", extra={"theirs": request.policy_hash, "ours": policy.content_hash})
    theirs, ours = request.data.organization, policy.organization
    if theirs != ours:
        raise refusals.OTHER_ORGANIZATION.error(f"the request is about organization {theirs}, the policy about {ours}")
    account_id = request.key.hierarchy_identifier
    return Account(
        account_id=account_id,
        name=request.data.name,
        state=AccountState.ACTIVE,
        ou_path=request.data.ou_path,
        tags=request.data.tags,
        is_management=policy.is_organization_connector_s(account_id),
        provider=request.data.provider,
    )


def account_of(request: ConnectorRequest, policy: Policy, ports: OnboardPorts) -> Account:
    """What is decided about: of AWS as the message has it, which this side cannot read; a project as it is now."""
    account = described(request, policy)
    if account.provider is Provider.GCP:
        return project_now(account.account_id, ports.google)
    return account
