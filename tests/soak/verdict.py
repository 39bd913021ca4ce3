"""What is wrong at the end: every member compared with what the model says, and nothing of anybody else's changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.aws.active import active
from shared.domain.connectors import OWNER_TAG
from tests.e2e.new_project import effect_of
from tests.soak.ending import ON_THE_WAY, command
from tests.soak.model import Connectors, End, Member, Standing, end_of
from tests.soak.world import World, likeness, project_id

MOST_ALIKE = 2
"""Operations in a row that ask the same for an account: tests/e2e/kill_run.py says why two and not one."""
CREATED = 201
DOCUMENTED = {
    "parked": {("onboarding-poison", "duplicate-connector")},
    "departed": {("account-events-dead-letters", "given-up")},
}
"""What waits for a person about an account in such a state, as the runbook says: queue and kind of reason.

A dead letter keeps no reason; of an account that has left it is account-not-listed, as the function's log says.
"""


@dataclass
class Verdict:
    """Lines that say what is lost, doubled or wrong, each with who it is and why."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What is as documented and worth a line."""

    @property
    def is_good(self) -> bool:
        """Whether there is nothing of any kind."""
        return not (self.lost or self.doubled or self.wrong)


def judge(world: World, swept: Any) -> Verdict:
    """Looks at everybody."""
    verdict = Verdict()
    for member in world.model.members.values():
        _judge_member(world, member, verdict)
    _judge_writes(world, verdict)
    _judge_operations(world, verdict)
    _judge_waiting(world, verdict)
    if not swept.get("complete"):
        verdict.wrong.append(f"the last sweep is not complete: {swept.get('gaps', swept)}")
    return verdict


def on_their_way(world: World) -> Iterator[str]:
    """Who has not come to an end, and what the ledger says they wait for."""
    by_key = {world.key(each): each for each in world.model.members.values()}
    for record in world.roll.ledger.list_records():
        if str(record.state) in ON_THE_WAY:
            member = by_key.get(record.key)
            told = ", ".join(member.history) if member is not None else "nobody of the model"
            yield f"{record.key} ({told}) is {record.state}: {record.reason}"


def _judge_member(world: World, member: Member, verdict: Verdict) -> None:
    key = world.key(member)
    record = world.roll.ledger.find(key)
    state = str(record.state) if record else ""
    end = end_of(member, state)
    who = f"{key} ({', '.join(member.history)})"
    reason = f"{record.reason}" if record else "the ledger does not know it"
    if state not in end.states:
        problem = f"{who} is {state or 'nothing'}, not {' or '.join(sorted(end.states))}: {reason}"
        (verdict.lost if state in ON_THE_WAY else verdict.wrong).append(problem)
    for problem in _connectors(world, member, end, key.hierarchy_identifier, verdict):
        verdict.wrong.append(f"{who}: {problem}")
    if member.cloud == "aws":
        verdict.wrong += [f"{who}: {each}" for each in _instance(world, member, end)]
    if state == "deploy_failed" and "already exist" not in reason:
        verdict.wrong.append(f"{who} is deploy_failed for another reason: {reason}")
    if member.cloud == "aws" and member.standing is Standing.GONE and world.instance(world.ids[member.name]):
        verdict.told.append(f"{key} left, and the StackSet goes on showing its instance, as documented")
    if state == "deploy_failed":
        verdict.told.append(f"{key} came back, and its roles stood there: deploy_failed, as documented")


def _connectors(world: World, member: Member, end: End, identifier: str, verdict: Verdict) -> Iterator[str]:
    found = world.connectors(identifier)
    ours = [each for each in found if (each.get("tags") or {}).get(OWNER_TAG) not in {None, "o-elsewhere"}]
    if len(ours) > 1:
        verdict.doubled.append(f"{member.name}: {len(ours)} connectors: {[each['id'] for each in ours]}")
    if end.connectors is Connectors.THEIRS and ours:
        yield "there is one of ours beside the other's"
    if end.connectors is Connectors.KEPT and not ours:
        yield "its connector is gone, and nobody asked for that"
    if end.connectors is Connectors.OURS:
        pattern = world.patterns[member.cloud, end.profile]
        if not ours:
            yield "it has no connector"
        for each in ours:
            yield from _differences(likeness(each, identifier, project_id(member)), pattern.body, "connector")


def _differences(found: Any, right: Any, where: str) -> Iterator[str]:
    """Every place where what was found differs."""
    if isinstance(found, dict) and isinstance(right, dict):
        for name in sorted(found.keys() | right.keys()):
            yield from _differences(found.get(name), right.get(name), f"{where}.{name}")
    elif isinstance(found, list) and isinstance(right, list) and len(found) == len(right):
        for number, pair in enumerate(zip(found, right, strict=True)):
            yield from _differences(*pair, f"{where}[{number}]")
    elif found != right:
        yield f"{where} is {str(found)[:200]}, not {str(right)[:200]}"


def _instance(world: World, member: Member, end: End) -> Iterator[str]:
    account_id = world.ids[member.name]
    if end.has_instance is None:
        return
    instance = world.instance(account_id)
    if not end.has_instance:
        if instance is not None:
            yield f"the StackSet has not let it go: {instance.status} {instance.reason}"
        return
    parameters, right = world.parameters(account_id), world.patterns["aws", member.profile].parameters
    if parameters is None:
        yield f"its stack instance is {instance and instance.status}, {instance and instance.reason}"
    elif parameters != right:
        yield f"its stack instance has {parameters}, not {right}"


def _judge_writes(world: World, verdict: Verdict) -> None:
    journal = world.roll.journal
    made = Counter(
        each.path.partition("?")[0].rpartition("/")[2]
        for each in journal.entries(operation="arm:PutSecurityConnector")
        if effect_of(each) == CREATED
    )
    for member in world.model.members.values():
        name = str(world.key(member))
        if made[name] > 1 + member.losses:
            verdict.doubled.append(f"{name} was made {made[name]} times ({', '.join(member.history)})")
    verdict.wrong += [
        f"deleted without being asked: {each.path}" for each in journal.entries(operation="arm:DeleteSecurityConnector")
    ]


def _judge_operations(world: World, verdict: Verdict) -> None:
    """Operations that ask again for what the last one has brought or is bringing."""
    [stack_set] = [each for each in active().stack_sets.all if each.name == "rollcall-member-roles"]
    alike: dict[str, tuple[Any, int]] = {}
    for operation in stack_set.operations:
        for (account_id, _), result in operation.results.items():
            before, count = alike.get(account_id, (None, 0))
            if operation.action == "DELETE" or result.status in {"FAILED", "CANCELLED"}:
                alike.pop(account_id, None)
                continue
            asked = dict(operation.overrides or {})
            alike[account_id] = (asked, count + 1 if asked == before else 1)
            if alike[account_id][1] == MOST_ALIKE + 1:
                verdict.doubled.append(f"aws-{account_id}: more than {MOST_ALIKE} operations in a row ask the same")


def _judge_waiting(world: World, verdict: Verdict) -> None:
    """What waits for a person has to be documented to do so."""
    listed = command(world, "replay", "list", "--limit", "2000")
    by_id = {world.ids[each.name]: each for each in world.model.members.values()}
    told: Counter[str] = Counter()
    for message in listed["messages"]:
        member = by_id.get(str(message["account"]))
        state = (
            ""
            if member is None
            else "departed"
            if member.standing is Standing.GONE
            else next(iter(end_of(member).states))
        )
        if (message["queue"], message["reason_class"]) in DOCUMENTED.get(state, ()):
            told[f"{message['reason_class']} of {member.name if member else ''}"] += 1
        else:
            verdict.wrong.append(f"given up: {message}")
    verdict.told += [f"waits for a person, as documented: {count} x {what}" for what, count in sorted(told.items())]
