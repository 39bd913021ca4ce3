"""One suite for the policy's source: the fake, a file, S3 of the sandbox, and a blob in real Azurite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.storage.blob import BlobClient

from shared.adapters.aws.policy_store import S3PolicyStore
from shared.adapters.policy.blob import BlobPolicyStore
from shared.adapters.policy.problems import parse_policy
from shared.adapters.policy.source import CachedPolicySource, FilePolicyStore
from shared.application.ports import PolicySource
from shared.errors import ConfigurationError
from tests.contract.conftest import FixedCredential
from tests.fakes.aws import FakePolicySource
from tests.fakes.aws_world import AwsWorld
from tests.fakes.azure_world import World
from tests.fakes.clock import FakeClock
from tests.fixtures.read import fixture

SMALLEST = fixture("policies/smallest.yaml").encode()
FULL = fixture("policies/full.yaml").encode()


@dataclass
class Published:
    """A policy's source, and how it is published there."""

    source: PolicySource
    publish: Callable[[bytes], object]
    clock: FakeClock


@pytest.fixture(params=["fake", "file", "s3", "blob"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Published:
    clock = FakeClock()
    if request.param == "fake":
        fake = FakePolicySource(parse_policy(SMALLEST, "fake"))
        return Published(fake, lambda content: setattr(fake, "policy", parse_policy(content, "fake")), clock)
    if request.param == "file":
        path = tmp_path / "policy.yaml"
        return Published(
            CachedPolicySource(FilePolicyStore(path), origin=str(path), clock=clock), path.write_bytes, clock
        )
    if request.param == "s3":
        aws: AwsWorld = request.getfixturevalue("aws_ports")
        client = aws.client("s3", s3={"addressing_style": "path"})
        client.create_bucket(Bucket="policies")
        store = S3PolicyStore(client, "s3://policies/rollcall/policy.yaml")
        return Published(
            CachedPolicySource(store, origin="s3", clock=clock),
            lambda content: client.put_object(Bucket="policies", Key="rollcall/policy.yaml", Body=content),
            clock,
        )
    azure: World = request.getfixturevalue("azure_ports")
    url, credential = f"{azure.azure.blob_url}/policy/policy.yaml", FixedCredential(azure)
    blob = BlobClient.from_blob_url(url, credential=credential)
    return Published(
        CachedPolicySource(BlobPolicyStore(credential, url), origin=url, clock=clock),
        lambda content: blob.upload_blob(content, overwrite=True),
        clock,
    )


def test_the_policy_that_was_published_is_the_current_one(published: Published) -> None:
    published.publish(FULL)
    assert published.source.current() == parse_policy(FULL, "x")


def test_a_policy_that_stays_the_same_is_read_again_without_a_change(published: Published) -> None:
    published.publish(SMALLEST)
    first = published.source.current()
    published.clock.advance(61)
    assert published.source.current() == first
    published.clock.advance(61)
    assert published.source.current() == first


def test_a_new_policy_is_current_after_a_minute_at_most(published: Published) -> None:
    published.publish(SMALLEST)
    published.source.current()
    published.publish(FULL)
    published.clock.advance(61)
    assert published.source.current().retry_budget_hours == 48


def test_a_policy_that_is_nowhere_is_a_wrong_deployment(
    aws_ports: AwsWorld, azure_ports: World, tmp_path: Path
) -> None:
    s3 = aws_ports.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="empty")
    for store in (
        FilePolicyStore(tmp_path / "nowhere.yaml"),
        S3PolicyStore(s3, "s3://empty/policy.yaml"),
        S3PolicyStore(s3, "s3://nowhere/policy.yaml"),
        BlobPolicyStore(FixedCredential(azure_ports), f"{azure_ports.azure.blob_url}/policy/nowhere.yaml"),
        BlobPolicyStore(FixedCredential(azure_ports), f"{azure_ports.azure.blob_url}/nowhere/policy.yaml"),
    ):
        with pytest.raises(ConfigurationError):
            store.fetch(None)
