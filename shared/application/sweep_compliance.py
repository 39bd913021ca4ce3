"""What follows the connectors of one slice: their standards and governance rules, two queries for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from shared.application.sweep_ports import SweptCompliance
from shared.domain.policy import Policy
from shared.domain.sweep.compliance import Assignment, kept, named_standards, rule_findings, standard_findings
from shared.domain.sweep.coverage import Looked
from shared.domain.sweep.findings import SweepFinding


def compliance_findings(
    seen: Sequence[Looked], policy: Policy, compliance: SweptCompliance, now: datetime
) -> Iterator[tuple[Looked, SweepFinding]]:
    """What is missing or otherwise than the profiles ask, and whose it is. Nothing is asked where no profile asks.

    Raises TransientError, ConfigurationError.
    """
    expected = [(looked, connector) for looked in seen if (connector := kept(looked, policy, now)) is not None]
    with_standards = [str(connector.connector_id) for _, connector in expected if connector.profile.standards]
    with_rules = [str(connector.connector_id) for _, connector in expected if connector.profile.governance]
    assignments = compliance.assignments_of(with_standards) if with_standards else ()
    rules = compliance.rules_of(with_rules) if with_rules else {}
    named = named_standards(assignments)
    assigned: dict[str, list[Assignment]] = defaultdict(list)
    for each in assignments:
        assigned[str(each.connector).lower()].append(each)
    for looked, connector in expected:
        key = str(connector.connector_id).lower()
        for finding in standard_findings(connector, assigned[key], named):
            yield looked, finding
        for finding in rule_findings(connector, rules.get(key, {})):
            yield looked, finding
