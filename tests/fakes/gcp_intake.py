"""What the intake of GCP's audit log works with, in memory, and the tokens of its push subscription."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import azure.functions as func
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.adapters.tokens.signing_keys import PublishedKeys, SigningKeys
from shared.adapters.tokens.verifier import TokenVerifier, subscription_of
from shared.application.accept_project_event import ProjectEventPorts
from shared.domain.accounts import Account, AccountState, Provider
from shared.domain.policy import Policy
from shared.errors import TransientError
from tests.fakes.aws import FakePolicySource
from tests.fakes.clock import NOON, FakeClock
from tests.fakes.failures import Failures
from tests.fakes.queues import FakeParkedBodies, FakeRequestQueue
from tests.fixtures.read import fixture, loaded

NUMBER, PROJECT_ID, ORGANIZATION = "100000000042", "acme-app-1", "200000000001"
AUDIENCE = "https://rollcall.example.com/api/gcp/project-events"
PUSHER = "rollcall-push@mdc-mgmt-proj-200000000001.iam.gserviceaccount.com"
_NO_QUERY: Mapping[str, str] = {}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def project(number: str = NUMBER, **changes: Any) -> Account:
    """An active project in `/Workloads/Prod`."""
    found = Account(
        provider=Provider.GCP,
        account_id=number,
        name=PROJECT_ID,
        state=AccountState.ACTIVE,
        ou_path="/Workloads/Prod",
        joined_at=NOON,
        tags={"team": "payments"},
    )
    return replace(found, **changes)


class FakeProjects:
    """Projects by number and by id; `asked` remembers by what they were looked for."""

    def __init__(self, *projects: Account) -> None:
        self.projects = {each.account_id: each for each in projects}
        self.asked: list[str] = []
        self.failures = Failures()

    def put(self, account: Account) -> None:
        """Adds or replaces a project."""
        self.projects[account.account_id] = account

    def find(self, project: str) -> Account | None:
        """The project, by either."""
        self.asked.append(project)
        self.failures.strike("find")
        return next((each for each in self.projects.values() if project in {each.account_id, each.name}), None)

    def is_elsewhere(self, project: str) -> bool:
        """No test puts one elsewhere."""
        self.failures.strike(f"is_elsewhere {project}")
        return False

    def list_projects(self) -> Iterator[Account]:
        """Every project."""
        self.failures.strike("list_projects")
        yield from self.projects.values()


@dataclass
class GcpSide:
    """What the function works with; `policy` is for AWS, with a part for GCP that is much the same."""

    policy: Policy
    clock: FakeClock = field(default_factory=FakeClock)
    projects: FakeProjects = field(default_factory=lambda: FakeProjects(project()))
    queue: FakeRequestQueue = field(default_factory=FakeRequestQueue)
    bodies: FakeParkedBodies = field(default_factory=FakeParkedBodies)

    def __post_init__(self) -> None:
        theirs = replace(self.policy, provider=Provider.GCP, organization=ORGANIZATION)
        self.source = FakePolicySource(replace(self.policy, gcp=theirs))
        self.ports = ProjectEventPorts(
            projects=self.projects, queue=self.queue, bodies=self.bodies, policy=self.source, clock=self.clock
        )

    def change(self, **changes: Any) -> None:
        """Changes the policy of the projects."""
        theirs = self.source.policy.gcp
        assert theirs is not None
        self.source.policy = replace(self.source.policy, gcp=replace(theirs, **changes))

    @property
    def untouched(self) -> bool:
        """Whether nothing came of whatever happened: neither on a queue, nor kept, nor asked of Google."""
        return not (self.queue.sent or self.queue.parked_texts or self.bodies.kept or self.projects.asked)


def pushed(name: str) -> bytes:
    """The push of an entry."""
    return wrapped(fixture(f"gcp/events/{name}.json").encode())


def wrapped(data: bytes) -> bytes:
    """A push of whatever was published."""
    envelope = loaded("gcp/events/push.json")
    envelope["message"]["data"] = base64.b64encode(data).decode()
    return json.dumps(envelope).encode()


def push(
    body: bytes = b"", *, authorization: str | None = None, url: str = AUDIENCE, params: Mapping[str, str] = _NO_QUERY
) -> func.HttpRequest:
    """The request that brings a push."""
    headers = {} if authorization is None else {"authorization": authorization}
    return func.HttpRequest(method="POST", url=url, headers=headers, params=params, body=body)


def key_set(**keys: rsa.RSAPrivateKey) -> bytes:
    """Keys as an issuer publishes them."""
    found = [
        RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "use": "sig", "alg": "RS256"}
        for kid, key in keys.items()
    ]
    return json.dumps({"keys": found}).encode()


class Google:
    """Publishes keys and counts how often it is asked."""

    def __init__(self, kid: str = "one") -> None:
        content = key_set(**{kid: KEY})
        self.published: PublishedKeys | None = PublishedKeys(content=content, max_age_seconds=20_000)
        self.asked = 0

    def fetch(self) -> PublishedKeys:
        """The keys."""
        self.asked += 1
        if self.published is None:
            raise TransientError("no answer")
        return self.published


class Pushers:
    """A verifier of the subscription's tokens, its clock and its issuer."""

    def __init__(self, *, audience: str = AUDIENCE, service_account: str = PUSHER, kid: str = "one") -> None:
        self.clock, self.google = FakeClock(), Google(kid)
        profile = subscription_of(audience, service_account)
        self.verifier = TokenVerifier(profile, SigningKeys(self.google.fetch, self.clock))


def push_claims(**changes: Any) -> dict[str, Any]:
    """Those of the right token, changed; times are seconds from now, which is when the test runs."""
    now = int(time.time())
    changes |= {name: now + changes[name] for name in ("exp", "nbf", "iat") if changes.get(name) is not None}
    right = {
        "aud": AUDIENCE,
        "azp": "100000000000000000001",
        "email": PUSHER,
        "email_verified": True,
        "exp": now + 3600,
        "iat": now,
        "iss": "https://accounts.google.com",
        "sub": "100000000000000000001",
    }
    return {name: value for name, value in (right | changes).items() if value is not None}


def push_token(key: Any = KEY, kid: str | None = "one", algorithm: str = "RS256", **changes: Any) -> str:
    """An Authorization header."""
    headers = {} if kid is None else {"kid": kid}
    return "Bearer " + jwt.encode(push_claims(**changes), key, algorithm=algorithm, headers=headers)
