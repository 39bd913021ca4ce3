"""How `rollcall policy explain` shows what the policy wants for an account or a project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.text import Text

from cli.output import words
from shared.application.explain_account import Explanation
from shared.domain.accounts import Provider
from shared.domain.gcp_connector_api import OFFERING_OF
from shared.domain.gcp_identities import services_of
from shared.domain.policy import Verdict
from shared.domain.profiles import Plan
from shared.domain.roles import Role

_STYLES = {Verdict.INCLUDE: "green", Verdict.WAIT: "yellow", Verdict.EXCLUDE: "dim"}
_NATIVE = "none: in mode native Defender for Cloud makes it, Rollcall only looks whether it did"


def explanation_json(found: Explanation, origin: str) -> dict[str, Any]:
    """Everything as data."""
    account, decision, profile = found.account, found.decision, found.decision.profile
    rule = found.policy.rules[decision.rule - 1] if decision.rule else None
    return {
        "account": {
            "provider": str(account.provider),
            "id": account.account_id,
            "name": account.name,
            "state": str(account.state),
            "ou_path": account.ou_path,
            "tags": dict(account.tags),
            "is_management": account.is_management,
        },
        "verdict": str(decision.verdict),
        "reason": decision.reason,
        "rule": {"number": decision.rule, "name": rule.name, "matched": found.why} if rule else None,
        "profile": {**asdict(profile), "plans": _plans(found), "roles": _roles(found), "services": _services(found)},
        "mode": str(found.policy.mode),
        "target": asdict(decision.target),
        "connector_id": str(found.connector_id),
        "body": found.body,
        "policy": {"origin": origin, "hash": found.policy.content_hash},
    }


def explanation_lines(found: Explanation, origin: str) -> Iterator[Text]:
    """The same for people; each text is one line, the body excepted."""
    account, decision = found.account, found.decision
    yield Text.assemble(
        Text("project " if account.provider is Provider.GCP else "", style="dim"),
        words(account.account_id, style="bold"),
        "  ",
        words(account.name),
        "  ",
        words(account.ou_path),
    )
    verdict = Text(str(decision.verdict), style=_STYLES[decision.verdict])
    yield Text.assemble(verdict, ": ", words(decision.reason))
    if decision.verdict is not Verdict.EXCLUDE:
        yield _line("rule", _rule(found))
        yield from _wanted(found)
    yield _line("policy", f"{origin}, sha256 {found.policy.content_hash[:12]}…")
    if found.body is not None:
        yield _line("body", "to PUT where no connector is yet:")
        yield words(json.dumps(found.body, indent=2), lines=True)
    elif decision.verdict is Verdict.INCLUDE:
        yield _line("body", _NATIVE)


def _wanted(found: Explanation) -> Iterator[Text]:
    profile, target = found.decision.profile, found.decision.target
    yield _line("profile", f"{profile.name}, scanned every {profile.scan_interval_hours} h")
    yield from _list("plans", _plans(found))
    yield from _list("roles", _roles(found))
    yield from _list("APIs", _services(found))
    place = [f"subscription {target.subscription_id}", f"resource group {target.resource_group}", target.location]
    yield from _list("target", place)
    yield _line("connector", str(found.connector_id))


def _rule(found: Explanation) -> str:
    number = found.decision.rule
    if number is None:
        return "none matches: the default profile"
    name = found.policy.rules[number - 1].name
    return f"{number} of {len(found.policy.rules)}{f', {name}' if name else ''}: {found.why}"


def _plans(found: Explanation) -> list[str]:
    offering_of = OFFERING_OF if found.policy.provider is Provider.GCP else {}
    return [offering_of.get(plan, str(plan)) for plan in Plan if plan in found.decision.profile.plans]


def _services(found: Explanation) -> list[str]:
    """The APIs of Google that have to be enabled in the project."""
    return list(services_of(found.decision.profile)) if found.policy.provider is Provider.GCP else []


def _roles(found: Explanation) -> list[str]:
    """The roles in the AWS account; a project's service accounts are in the body."""
    if found.policy.provider is Provider.GCP:
        return []
    return [str(role) for role in Role if role in found.decision.profile.roles()]


def _line(label: str, value: str) -> Text:
    return Text.assemble(Text(f"{label:10}", style="bold"), words(value))


def _list(label: str, values: list[str]) -> Iterator[Text]:
    for number, value in enumerate(values):
        yield _line("" if number else label, value)
