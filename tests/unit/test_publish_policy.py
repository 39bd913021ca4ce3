"""Publishing: the same bytes at every place, nothing where they are already, and a word where the sides differ."""

from __future__ import annotations

import hashlib

import pytest

from shared.application.publish_policy import Publication, PublishReport, publish_policy
from shared.errors import ConfigurationError, TransientError
from tests.fakes.aws import FakePolicyDestination

NEW, OLD = b"new", b"old"
WRITTEN, UNCHANGED, FAILED = Publication.WRITTEN, Publication.UNCHANGED, Publication.FAILED


def places(aws: bytes | None, azure: bytes | None) -> tuple[FakePolicyDestination, FakePolicyDestination]:
    return FakePolicyDestination("s3://b/k", aws), FakePolicyDestination("https://a/c/b", azure)


def outcomes(report: PublishReport) -> list[Publication]:
    return [each.outcome for each in report.destinations]


@pytest.mark.parametrize(
    ("aws", "azure", "expected"),
    [
        (None, None, [WRITTEN, WRITTEN]),
        (OLD, OLD, [WRITTEN, WRITTEN]),
        (NEW, OLD, [UNCHANGED, WRITTEN]),
        (OLD, NEW, [WRITTEN, UNCHANGED]),
        (NEW, NEW, [UNCHANGED, UNCHANGED]),
    ],
)
def test_what_is_there_already_is_left_alone(
    aws: bytes | None, azure: bytes | None, expected: list[Publication]
) -> None:
    both = places(aws, azure)
    report = publish_policy(NEW, both, dry_run=False)
    assert outcomes(report) == expected
    assert [place.content for place in both] == [NEW, NEW]
    assert [len(place.written) for place in both] == [int(each is WRITTEN) for each in expected]
    assert report.content_hash == hashlib.sha256(NEW).hexdigest()
    assert (report.failed, report.sides_differ) == (False, False)
    assert outcomes(publish_policy(NEW, both, dry_run=False)) == [UNCHANGED, UNCHANGED]


def test_a_dry_run_writes_nothing_and_says_what_it_would() -> None:
    both = places(OLD, NEW)
    report = publish_policy(NEW, both, dry_run=True)
    assert outcomes(report) == [Publication.WOULD_WRITE, UNCHANGED]
    assert report.destinations[0].before == hashlib.sha256(OLD).hexdigest()
    assert [place.written for place in both] == [[], []]


def test_a_place_that_cannot_be_read_keeps_everything_from_being_written() -> None:
    aws, azure = places(OLD, OLD)
    azure.failures.plan("find", ConfigurationError("403", setting="the role"))
    with pytest.raises(ConfigurationError):
        publish_policy(NEW, (aws, azure), dry_run=False)
    assert aws.content == OLD


def test_a_failure_at_the_second_place_says_that_the_sides_differ_and_the_next_run_ends_it() -> None:
    aws, azure = places(OLD, OLD)
    azure.failures.plan("put", TransientError("no answer", remedy="Wait."))
    report = publish_policy(NEW, (aws, azure), dry_run=False)
    assert outcomes(report) == [WRITTEN, FAILED]
    assert (report.failed, report.sides_differ) == (True, True)
    assert str(report.destinations[1].error) == "no answer (Wait.)"
    again = publish_policy(NEW, (aws, azure), dry_run=False)
    assert outcomes(again) == [UNCHANGED, WRITTEN]
    assert (aws.content, azure.content) == (NEW, NEW)


def test_a_failure_at_the_first_place_leaves_the_second_alone() -> None:
    aws, azure = places(OLD, OLD)
    aws.failures.plan("put", TransientError("no answer"))
    report = publish_policy(NEW, (aws, azure), dry_run=False)
    assert outcomes(report) == [FAILED, Publication.NOT_TRIED]
    assert (report.failed, report.sides_differ, azure.content) == (True, False, OLD)


def test_a_failure_that_leaves_the_new_policy_at_one_place_only_is_a_difference_whoever_wrote_it() -> None:
    aws, azure = places(OLD, NEW)
    aws.failures.plan("put", TransientError("no answer"))
    report = publish_policy(NEW, (aws, azure), dry_run=False)
    assert (outcomes(report), report.sides_differ) == ([FAILED, UNCHANGED], True)


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten() -> None:
    aws, azure = places(OLD, OLD)
    azure.meanwhile = b"theirs"
    report = publish_policy(NEW, (aws, azure), dry_run=False)
    assert outcomes(report) == [WRITTEN, FAILED]
    assert azure.content == b"theirs"
