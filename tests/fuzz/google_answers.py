"""Odd answers of Google's services, and of its token endpoints, to the real adapters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import requests

from shared.adapters.gcp.client import GoogleClient
from shared.adapters.gcp.credentials import TokenRequest, federated_session
from shared.adapters.gcp.identities import GcpProjectIdentities
from shared.adapters.gcp.instances import GcpInstances
from shared.adapters.gcp.intake import GcpIntake
from shared.adapters.gcp.projects import GcpProjects
from shared.adapters.gcp.rules import GcpOrganizationRules
from shared.adapters.gcp.setup import GcpProjectSetup
from tests.fakes.answering_google import IDENTITY, EntraCredential
from tests.fakes.clock import FakeClock
from tests.fuzz.answers import Answer, Wire, bases_of
from tests.fuzz.campaign import Base, Case
from tests.fuzz.watch import Watch

NUMBER, ORGANIZATION = "100000000042", "200000000001"


class _GoogleWire(Wire):
    """Tokens are answered by themselves, and by the odd answer where it is theirs."""

    valid: Mapping[str, bytes] = {}
    token_is_odd = False

    def answer(self, request: requests.PreparedRequest) -> Answer:
        """By who is asked."""
        url = str(request.url)
        if url.endswith("/v1/token"):
            return self.odd if self.token_is_odd else Answer(200, {}, self.valid["token"])
        if url.endswith(":generateAccessToken"):
            return Answer(200, {}, self.valid["impersonated"])
        if url.endswith(":testIamPermissions") and len(self.asked) != self.turn:
            return Answer(200, {}, self.valid["seen"])
        return super().answer(request)


class _Adapters:
    def __init__(self, client: GoogleClient, clock: FakeClock) -> None:
        self.projects = GcpProjects(client, ORGANIZATION, clock)
        self.setup = GcpProjectSetup(client, clock)
        self.identities, self.rules = GcpProjectIdentities(client), GcpOrganizationRules(client)
        self.instances, self.intake = GcpInstances(client, self.setup), GcpIntake(client)


CALLS: Mapping[str, Callable[[_Adapters], object]] = {
    "project": lambda on: on.projects.find(NUMBER),
    "project elsewhere": lambda on: on.projects.is_elsewhere(NUMBER),
    "search": lambda on: list(on.projects.list_projects()),
    "pool": lambda on: on.identities.find_pool(NUMBER, "p"),
    "account": lambda on: on.identities.find_account("acme", "x@acme.iam.gserviceaccount.com"),
    "bindings": lambda on: on.rules.grants(ORGANIZATION),
    "instances": lambda on: on.instances.states_of(NUMBER, ["123", "vm"]),
    "sink": lambda on: on.intake.find_sink(ORGANIZATION),
    "subscription": lambda on: on.intake.find_subscription("acme"),
    "role": lambda on: on.rules.find_role(ORGANIZATION, "r"),
    "orgpolicy": lambda on: on.rules.list_policy("projects/1", "iam.x"),
    "services": lambda on: on.setup.missing_services(NUMBER, ["compute.googleapis.com"]),
    "enabling": lambda on: on.setup.enable_services(NUMBER, ["compute.googleapis.com"]),
    "metadata": lambda on: on.setup.find_metadata("acme", "enable-osconfig"),
    "metadata set": lambda on: on.setup.set_metadata("acme", "enable-osconfig", "TRUE"),
}
NAMES = tuple(CALLS)
_SECOND = {"folder": "project", "providers": "pool", "bindings": "account", "operation": "metadata set"}
"""Answers that are the second of a call, and the call's name."""


class GoogleAnswers:
    """Surface: what Google answers."""

    name = "google-answers"

    def __init__(self) -> None:
        self._wire, self._clock = _GoogleWire(), FakeClock()
        self._valid = bases_of("google")
        _GoogleWire.valid = self._valid
        self._session = federated_session(EntraCredential(), IDENTITY, TokenRequest(requests.Session()))

    @cached_property
    def bases(self) -> Sequence[Base]:
        """Every valid answer, and refusals of every envelope."""
        return [Base(name, content, content) for name, content in self._valid.items()]

    def take(self, case: Case, watch: Watch) -> str:
        """The answer comes to one call, or to the request for a token."""
        self._wire.token_is_odd = case.base.startswith("token") and case.choice % 2 == 0
        mine = [name for name in NAMES if name.partition(" ")[0] == case.base.partition(".")[0]]
        turn = 0
        if case.base in _SECOND and case.choice % 4:
            name, turn = _SECOND[case.base], 1
        elif not mine or case.choice // 4099 % 8 == 7:
            name = NAMES[case.choice % len(NAMES)]
        else:
            name = mine[case.choice // 31 % len(mine)]
        first = self._valid.get(name.partition(" ")[0], b"{}")
        self._wire.plan(Answer.odd(case.choice, case.content), turn=turn, before=first)
        if self._wire.token_is_odd:
            self._session = federated_session(EntraCredential(), IDENTITY, TokenRequest(requests.Session()))
        self._clock.advance(301)
        with self._wire.instead_of_the_network():
            CALLS[name](_Adapters(GoogleClient(self._session, self._clock), self._clock))
        return "read"
