"""What a command says that is stopped, or refused, in the middle."""

from __future__ import annotations

import pytest
import typer
from botocore.exceptions import ProfileNotFound, SSOTokenLoadError, UnauthorizedSSOTokenError
from typer.testing import CliRunner

from cli.commands import Stoppable
from cli.halfway import told_halfway
from cli.output import FOUND, WRONG_USAGE, RefusedError
from shared.adapters.aws import refusals
from shared.adapters.aws.errors import translate
from shared.adapters.azure import reasons
from shared.errors import ConfigurationError, TransientError

GO_ON = "run it again: what is done is not done again"


def ended_by(error: BaseException, done: str) -> RefusedError:
    with pytest.raises(RefusedError) as refused, told_halfway(lambda: done, GO_ON):
        raise error
    return refused.value


def test_ctrl_c_is_one_line_with_what_is_done_and_how_to_go_on() -> None:
    told = ended_by(KeyboardInterrupt(), "after 19 account(s)")
    assert (str(told), told.exit_code) == (f"stopped after 19 account(s); {GO_ON}", FOUND)


def test_an_expired_session_of_aws_says_how_far_it_came_and_to_sign_in() -> None:
    told = ended_by(refusals.diagnose(403, "ExpiredToken", "").error("list: ExpiredToken"), "after 19 account(s)")
    assert told.reason == "ended after 19 account(s): list: ExpiredToken"
    assert "in a shell, sign in to AWS again" in told.remedy
    assert told.remedy.endswith(f"Then {GO_ON}")
    assert told.exit_code == FOUND


@pytest.mark.parametrize(
    "error",
    [
        reasons.NO_TOKEN.error("no token: Please run 'az login'"),
        refusals.CLOCK_OFF.error("SignatureDoesNotMatch Signature expired"),
        reasons.AUTHORIZATION_FAILED.error("may not"),
    ],
)
def test_what_a_person_has_to_set_right_ends_with_two_in_the_middle_as_at_the_beginning(error: Exception) -> None:
    assert ended_by(error, "after 3 message(s)").exit_code == WRONG_USAGE


def test_where_nothing_is_done_yet_the_refusal_stays_as_it_is() -> None:
    error = TransientError("no answer")
    with pytest.raises(TransientError) as raised, told_halfway(lambda: "", GO_ON):
        raise error
    assert raised.value is error


def test_a_command_that_does_not_see_to_ctrl_c_itself_ends_as_every_refusal_does() -> None:
    app = typer.Typer(cls=Stoppable)

    @app.command()
    def reads() -> None:
        raise KeyboardInterrupt

    @app.command()
    def other() -> None:
        pass

    ended = CliRunner().invoke(app, ["reads"])
    assert isinstance(ended.exception, RefusedError)
    assert str(ended.exception) == "stopped; run it again: what is done is not done twice"


@pytest.mark.parametrize(
    "error",
    [
        ProfileNotFound(profile="work"),
        SSOTokenLoadError(error_msg="the token has expired"),
        UnauthorizedSSOTokenError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_sign_in_that_is_over_is_no_missing_answer(error: Exception) -> None:
    told = translate(error, "list accounts")  # type: ignore[arg-type]  # each is one of botocore's
    assert isinstance(told, ConfigurationError)
    assert told.key == "aws-credentials"
    assert "sign in to AWS again" in told.remedy
