"""The worlds that the port suites run in: the fakes, and the sandbox's clouds."""

from __future__ import annotations

import importlib.util
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from sandbox.azure.azurite import ACCOUNT, installed
from sandbox.azure.directory import FUNCTIONS
from sandbox.azure.exchange import Endpoint
from sandbox.azure.storage import StorageEndpoint
from sandbox.serving import HOST, Service
from shared.errors import ConfigurationError, TransientError
from tests.fakes.answering_azure import AnsweringAzure, answering_azure
from tests.fakes.aws_world import AwsWorld, aws_world
from tests.fakes.azure_world import World, start_world

_numbers = itertools.count(1)


class FixedCredential:
    """A credential with a token that the sandbox mints for a named identity."""

    def __init__(self, world: World, name: str = FUNCTIONS) -> None:
        self._world, self._name = world, name

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """A token for the first scope."""
        audience = scopes[0].removesuffix("/.default")
        return AccessToken(self._world.azure.mint(self._name, audience), int(time.time()) + 600)


def becomes_wrong_deployment(error: TransientError) -> bool:
    """Whether a failure that may settle by itself counts as a wrong deployment when it lasts for a day."""
    return error.lasting(60) is None and isinstance(error.lasting(24 * 3600), ConfigurationError)


@pytest.fixture
def account_id() -> str:
    """An account that no other test knows."""
    return f"7{next(_numbers):011d}"


@pytest.fixture(scope="module")
def _one_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if not installed():
        pytest.skip("Azurite is not installed: run `make setup`")
    world = start_world(tmp_path_factory.mktemp("ports"), resource_graph_lag_seconds=0)
    yield world
    world.azure.stop()


@pytest.fixture
def azure_ports(_one_azure: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Azure of the sandbox, one for each file: its tests use account ids of their own."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(_one_azure.certificates.bundle_path))
    _one_azure.azure.graph.reset_quota()
    _one_azure.azure.resource_manager.reset_buckets()
    return _one_azure


@pytest.fixture(scope="module")
def _memory_queues(_one_azure: World) -> Iterator[str]:
    trust = _one_azure.certificates.client_context()
    endpoint = StorageEndpoint("queue", port=0, trust=trust, tokens=_one_azure.azure.tokens)
    endpoint.answer_from_memory()
    application = Endpoint("queue", _one_azure.journal, endpoint.answer)
    service = Service(application, tls=_one_azure.certificates.server_context()).start()
    yield f"https://{HOST}:{service.port}/{ACCOUNT}"
    service.stop()


@pytest.fixture(params=["azurite", "memory"])
def queue_url(request: pytest.FixtureRequest, azure_ports: World) -> str:
    """The address of a queue service: Azurite's behind the sandbox's endpoint, and the sandbox's own."""
    if request.param == "azurite":
        return azure_ports.azure.queue_url
    url: str = request.getfixturevalue("_memory_queues")
    return url


@pytest.fixture
def aws_ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsWorld]:
    """AWS of the sandbox with an organization and the StackSet `roles`."""
    with aws_world(tmp_path_factory.mktemp("aws"), stack_instance_seconds=0.5) as world:
        world.cloud.prepare_organization()
        world.stack_set()
        yield world


@pytest.fixture(scope="session")
def _answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnsweringAzure, Path]]:
    with answering_azure(tmp_path_factory.mktemp("answering")) as found:
        yield found


@pytest.fixture
def answers(_answering: tuple[AnsweringAzure, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AnsweringAzure:
    """A server that answers as a test plans, in the place of Resource Manager, Storage and both token services."""
    azure, bundle = _answering
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    monkeypatch.setenv("PATH", str(tmp_path))  # no `az` there
    return azure


@pytest.fixture
def checker(evidence: Path) -> ModuleType:
    """The checker of bodies against the OpenAPI files, beside the recorded evidence."""
    path = evidence / "tools" / "check_arm_body.py"
    spec = importlib.util.spec_from_file_location("check_arm_body", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
