"""What the simulated Azure remembers of a token that it has checked, and what it looks at each time."""

from __future__ import annotations

import time

import pytest

from sandbox.azure.directory import FUNCTIONS, QUEUE_SENDER, default_directory
from sandbox.azure.tokens import TokenError, Tokens

ARM, STORAGE = "https://management.azure.com", "https://storage.azure.com"


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens(default_directory("00000000-0000-4000-8000-0000000000f1", "00000000-0000-4000-8000-0000000000d1"))


def problem(tokens: Tokens, authorization: str, audience: str) -> str:
    with pytest.raises(TokenError) as refused:
        tokens.identify(authorization, [audience])
    return refused.value.problem


def test_a_token_that_was_good_is_refused_once_it_has_expired(tokens: Tokens) -> None:
    bearer = f"Bearer {tokens.mint(tokens.directory.get(FUNCTIONS), ARM, lifetime_seconds=2)}"
    assert [tokens.identify(bearer, [ARM]).name for _ in range(2)] == [FUNCTIONS, FUNCTIONS]
    time.sleep(2.1)
    assert problem(tokens, bearer, ARM) == "expired"


def test_a_token_that_was_good_for_one_audience_is_not_for_another(tokens: Tokens) -> None:
    bearer = f"Bearer {tokens.mint(tokens.directory.get(FUNCTIONS), ARM)}"
    assert tokens.identify(bearer, [ARM]).name == FUNCTIONS
    assert problem(tokens, bearer, STORAGE) == "audience"
    assert problem(tokens, bearer[:-4] + "AAAA", ARM) == "signature"


def test_what_an_identity_was_granted_can_end_before_its_time_and_nobody_else_s(tokens: Tokens) -> None:
    bearer, of_another = (
        f"Bearer {tokens.mint(tokens.directory.get(name), ARM)}" for name in (FUNCTIONS, QUEUE_SENDER)
    )
    assert tokens.identify(bearer, [ARM]).name == FUNCTIONS
    tokens.expire(tokens.directory.get(FUNCTIONS))
    assert problem(tokens, bearer, ARM) == "expired"
    assert tokens.identify(of_another, [ARM]).name == QUEUE_SENDER
    time.sleep(1.1)
    assert tokens.identify(f"Bearer {tokens.mint(tokens.directory.get(FUNCTIONS), ARM)}", [ARM]).name == FUNCTIONS
