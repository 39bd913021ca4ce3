"""What a Lambda function says of its own way to Azure, and what the answers of all of them come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from shared.application.doctor.examine import Question
from shared.application.ports import PolicySource
from shared.domain.doctor import lambda_checks as checks
from shared.domain.doctor.lambda_checks import TokenClaims, federation_verdict
from shared.domain.doctor.verdicts import Verdict, failed
from shared.errors import RollcallError


class WebIdentity(Protocol):
    """The function's role towards Entra."""

    def claims(self) -> TokenClaims:
        """Those of a fresh token. Raises TransientError, PermanentError, ConfigurationError."""

    def exchange(self) -> None:
        """Gets a token of Entra's for it, anew. Raises TransientError, ConfigurationError."""


class Probe(Protocol):
    """The queue `onboarding`."""

    def probe(self, sender: str) -> None:
        """Puts a probe of `sender`. Raises TransientError, ConfigurationError."""


@dataclass(frozen=True, kw_only=True)
class LambdaSide:
    """What one function works with."""

    function: str
    identity: WebIdentity
    queue: Probe
    policy: PolicySource


def own_verdicts(side: LambdaSide) -> Iterator[Verdict]:
    """Everything, in the order in which each needs the one before; the role is named once its token is known."""
    function = side.function
    try:
        claims = side.identity.claims()
    except RollcallError as error:
        yield failed(checks.TOKEN, error, command=checks.TOKEN.command, subject=function)
        why = "the role gets no token"
        yield checks.FEDERATION.unknown(why, subject=function)
        yield checks.QUEUE.unknown(why, subject=function)
        yield _policy(side)
        return
    told = [checks.TOKEN.ok(f"{claims.issuer} vouches for it", subject=function), *_beyond(side, claims), _policy(side)]
    yield from (each.seen_as(claims.subject) for each in told)


def _beyond(side: LambdaSide, claims: TokenClaims) -> Iterator[Verdict]:
    try:
        side.identity.exchange()
    except RollcallError as error:
        yield federation_verdict(side.function, claims, error)
        yield checks.QUEUE.unknown("the role gets no token of Entra's", subject=side.function)
        return
    yield federation_verdict(side.function, claims, None)
    try:
        side.queue.probe(side.function)
    except RollcallError as error:
        yield failed(checks.QUEUE, error, subject=side.function)
        return
    yield checks.QUEUE.ok("it takes messages", subject=side.function)


def _policy(side: LambdaSide) -> Verdict:
    try:
        policy = side.policy.current()
    except RollcallError as error:
        return failed(checks.POLICY, error, command=checks.POLICY.command, subject=side.function)
    evidence = {"policy_hash": policy.content_hash}
    return checks.POLICY.ok(f"it has {policy.content_hash[:12]}", subject=side.function, evidence=evidence)


class Functions(Protocol):
    """The Lambda functions, as they answer whoever may invoke them."""

    def ask(self, function: str) -> Iterable[Verdict]:
        """What a function says of itself. Raises TransientError, PermanentError, ConfigurationError."""


def function_questions(functions: Functions, names: Iterable[str], checked_as: str) -> list[Question]:
    """One for each function."""
    return [
        Question(checks=checks.LAMBDA_CHECKS, ask=_asking(functions, name), checked_as=checked_as) for name in names
    ]


def _asking(functions: Functions, name: str) -> Callable[[], Iterator[Verdict]]:
    def ask() -> Iterator[Verdict]:
        try:
            told = list(functions.ask(name))
        except RollcallError as error:
            yield checks.INVOKE.unknown(error.reason, subject=name, remedy=error.remedy or checks.INVOKE.remedy)
            for check in checks.OF_A_FUNCTION:
                yield check.unknown("the function was not asked", subject=name)
            return
        yield checks.INVOKE.ok("it answers", subject=name)
        yield from told

    return ask
