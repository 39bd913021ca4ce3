"""One suite for the places that the policy is published to: the fake, S3 of the sandbox, and a blob in real Azurite."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from azure.storage.blob import BlobClient

from sandbox.azure.directory import OPERATOR
from shared.adapters.aws.management_account import caller_account
from shared.adapters.aws.policy_destination import S3PolicyDestination
from shared.adapters.aws.policy_store import S3PolicyStore
from shared.adapters.aws.template_bucket import S3TemplateBucket
from shared.adapters.policy.blob import BlobPolicyStore
from shared.adapters.policy.blob_destination import BlobPolicyDestination
from shared.adapters.policy.source import PolicyStore
from shared.application.ports import PolicyDestination
from shared.errors import ConfigurationError, TransientError
from tests.contract.conftest import FixedCredential
from tests.fakes.aws import FakePolicyDestination
from tests.fakes.aws_world import AwsWorld
from tests.fakes.azure_world import World

_numbers = itertools.count(1)


@dataclass
class Place:
    """A destination where nothing is yet, how somebody else writes there, and what the readers' side sees."""

    destination: PolicyDestination
    overwrite: Callable[[bytes], object]
    content: Callable[[], bytes | None]


OWNER = "123456789012"


def _fetched(store: PolicyStore) -> bytes | None:
    version = store.fetch(None)
    return version.content if version else None


@pytest.fixture(params=["fake", "s3", "blob"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "fake":
        fake = FakePolicyDestination("fake://policy")
        return Place(fake, lambda content: setattr(fake, "content", content), lambda: fake.content)
    if request.param == "s3":
        aws: AwsWorld = request.getfixturevalue("aws_ports")
        client = aws.client("s3", s3={"addressing_style": "path"})
        client.create_bucket(Bucket="policies")
        url = "s3://policies/rollcall/policy.yaml"
        return Place(
            S3PolicyDestination(client, url, owner=lambda: OWNER),
            lambda content: client.put_object(Bucket="policies", Key="rollcall/policy.yaml", Body=content),
            lambda: _fetched(S3PolicyStore(client, url)),
        )
    azure: World = request.getfixturevalue("azure_ports")
    url = f"{azure.azure.blob_url}/policy/published-{next(_numbers)}.yaml"
    blob = BlobClient.from_blob_url(url, credential=FixedCredential(azure))
    return Place(
        BlobPolicyDestination(FixedCredential(azure, OPERATOR), url),
        lambda content: blob.upload_blob(content, overwrite=True),
        lambda: _fetched(BlobPolicyStore(FixedCredential(azure), url)),
    )


def test_nothing_is_there_until_it_is_written(place: Place) -> None:
    assert place.destination.find() is None
    place.destination.put(b"first", over=None)
    found = place.destination.find()
    assert found is not None
    assert found.content_hash == hashlib.sha256(b"first").hexdigest()
    assert place.content() == b"first"


def test_what_was_seen_is_written_over(place: Place) -> None:
    place.overwrite(b"first")
    place.destination.put(b"second", over=place.destination.find())
    assert place.content() == b"second"
    place.destination.put(b"third", over=place.destination.find())
    assert place.content() == b"third"


@pytest.mark.parametrize("before", [None, b"first"])
def test_what_somebody_else_wrote_since_is_kept(place: Place, before: bytes | None) -> None:
    if before is not None:
        place.overwrite(before)
    seen = place.destination.find()
    place.overwrite(b"theirs")
    with pytest.raises(TransientError, match="has changed while it was being written"):
        place.destination.put(b"ours", over=seen)
    assert place.content() == b"theirs"


def test_a_bucket_or_container_that_is_not_there_is_a_wrong_setting(aws_ports: AwsWorld, azure_ports: World) -> None:
    s3 = aws_ports.client("s3", s3={"addressing_style": "path"})
    for nowhere in (
        S3PolicyDestination(s3, "s3://nowhere/policy.yaml", owner=lambda: OWNER),
        BlobPolicyDestination(FixedCredential(azure_ports), f"{azure_ports.azure.blob_url}/nowhere/policy.yaml"),
    ):
        with pytest.raises(ConfigurationError):
            nowhere.find()
        with pytest.raises(ConfigurationError):
            nowhere.put(b"x", over=None)


def test_every_request_to_a_bucket_names_its_owner(aws_ports: AwsWorld) -> None:
    named: list[tuple[str, object]] = []
    s3 = aws_ports.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="policies")

    def remember(params: Any, model: Any, **_: Any) -> None:
        named.append((model.name, params["headers"].get("x-amz-expected-bucket-owner")))

    s3.meta.events.register("before-call.s3", remember)
    policy = S3PolicyDestination(s3, "s3://policies/policy.yaml", owner=lambda: OWNER)
    policy.put(b"x", over=None)
    assert policy.find() is not None
    template = S3TemplateBucket(s3, bucket="policies", key="roles.yaml", region="us-east-1", owner=lambda: OWNER)
    template.put(b"x")
    assert template.find()
    assert template.inspect().exists
    assert {operation for operation, _ in named} == {"GetBucketPolicy", "GetBucketVersioning", "GetObject", "PutObject"}
    assert {owner for _, owner in named} == {OWNER}


def test_the_owner_is_the_account_of_the_shell(aws_ports: AwsWorld) -> None:
    assert caller_account(aws_ports.client("sts")) == OWNER


def test_who_may_only_read_blobs_is_told_so(azure_ports: World) -> None:
    url = f"{azure_ports.azure.blob_url}/other/policy.yaml"
    with pytest.raises(TransientError, match="403") as refused:
        BlobPolicyDestination(FixedCredential(azure_ports, OPERATOR), url).put(b"x", over=None)
    assert refused.value.patience is not None  # a grant may be settling; at a shell it counts as missing


def test_both_stores_are_given_a_checksum_that_they_verify(aws_ports: AwsWorld, azure_ports: World) -> None:
    sent: dict[str, str] = {}
    s3 = aws_ports.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(Bucket="policies")

    def remember(request: Any, **_: Any) -> None:
        sent.update({name.lower(): _text(value) for name, value in request.headers.items()})

    s3.meta.events.register("before-send.s3.PutObject", remember)
    S3PolicyDestination(s3, "s3://policies/policy.yaml", owner=lambda: OWNER).put(b"x", over=None)
    assert sent["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    assert sent["if-none-match"] == "*"
    url = f"{azure_ports.azure.blob_url}/policy/checked-{next(_numbers)}.yaml"
    BlobPolicyDestination(FixedCredential(azure_ports), url).put(b"x", over=None)
    with BlobClient.from_blob_url(url, credential=FixedCredential(azure_ports)) as blob:
        kept = blob.get_blob_properties().content_settings
    assert bytes(kept.content_md5 or b"") == hashlib.md5(b"x", usedforsecurity=False).digest()
    assert kept.content_type == "application/yaml"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
