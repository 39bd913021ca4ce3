"""What is common to both clouds, and advice for teams that own nothing of Rollcall."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.application.doctor.examine import Question
from shared.application.ports import PolicyDestination, PolicySource, TenantSnapshot
from shared.domain.doctor import policy_checks as checks
from shared.domain.doctor.policy_checks import (
    Places,
    agent_verdicts,
    clusters_verdict,
    egress_verdict,
    siem_verdict,
    skew_verdict,
)
from shared.domain.doctor.verdicts import Check, Verdict


@dataclass(frozen=True, kw_only=True)
class AdvicePorts:
    """What advice is made of; `scan_role` reads the name of Defender's scanning role from the deployed template."""

    policy: PolicySource
    snapshot: TenantSnapshot
    published: Sequence[PolicyDestination]
    scan_role: Callable[[], str]
    places: Places


def advice_questions(ports: AdvicePorts, checked_as: str) -> list[Question]:
    """Everything that is asked."""

    def skew() -> Iterator[Verdict]:
        if len(ports.published) < 2:  # noqa: PLR2004 - one for each cloud
            why = "ROLLCALL_PUBLISH__S3 and ROLLCALL_PUBLISH__BLOB do not name both places"
            yield checks.POLICY_SKEW.unknown(why)
        else:
            yield skew_verdict({each.url: each.find() for each in ports.published})

    asked: list[tuple[Check, Callable[[], Iterable[Verdict]]]] = [
        (checks.POLICY_SKEW, skew),
        (checks.CLUSTER_EGRESS, lambda: [clusters_verdict(ports.policy.current())]),
        (checks.ROLLCALL_EGRESS, lambda: [egress_verdict(ports.policy.current(), ports.places)]),
        (checks.SIEM_FILTER, lambda: [siem_verdict(ports.scan_role())]),
        (checks.AGENT_SETTING, lambda: agent_verdicts(ports.policy.current(), ports.snapshot.list_all())),
    ]
    return [Question(checks=(check,), ask=ask, checked_as=checked_as) for check, ask in asked]
