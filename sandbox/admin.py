"""The admin API of a running sandbox: look into the journal, plant things, mint tokens, stop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from flask import Flask, Response, jsonify, request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sandbox.azure.seeding import AzureSeed, plant
from sandbox.faults import Fault, Hold
from sandbox.gcp.seeding import SeedProject, plant_project
from sandbox.serving import Service

if TYPE_CHECKING:
    from sandbox.cloud import Sandbox


class StackFailure(BaseModel):
    """The next stack instances of an account fail with `reason`."""

    model_config = ConfigDict(extra="forbid")

    account: str = Field(description="account id, or the name of an account that does not exist yet")
    reason: str
    times: int | None = Field(default=None, ge=1, description="how many of them; all if left out")


class SeedAccount(BaseModel):
    """An account that has been there for long: no event tells of it."""

    model_config = ConfigDict(extra="forbid")

    name: str
    parent_id: str | None = Field(default=None, description="root or OU; the root if left out")
    state: str = "ACTIVE"
    tags: dict[str, str] = Field(default_factory=dict)
    joined_at: AwareDatetime | None = Field(default=None, description="JoinedTimestamp; now if left out")


class Seed(AzureSeed):
    """What `POST /seed` plants. Unknown words are refused."""

    model_config = ConfigDict(extra="forbid")

    accounts: list[SeedAccount] = Field(default_factory=list)
    stack_failures: list[StackFailure] = Field(default_factory=list)
    folders: list[str] = Field(default_factory=list, description="paths of folders at Google, by names")
    projects: list[SeedProject] = Field(default_factory=list)


class TokenRequest(BaseModel):
    """What `POST /token` asks for."""

    model_config = ConfigDict(extra="forbid")

    role: str
    audience: str


class ProcessName(BaseModel):
    """What `POST /kill` and `POST /start` name: `functions-N`, or `lambda:<function>` to kill only."""

    model_config = ConfigDict(extra="forbid")

    process: str


GOOGLE = "https://www.googleapis.com"
"""The audience of a token for Google Cloud; its role is an e-mail address."""
_FAULTS = TypeAdapter(list[Fault])


class AdminApi:
    """The API as a service on loopback; it is not journalled, since nothing of ours may depend on it."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Works on a running sandbox."""
        self._sandbox = sandbox
        self.stop_requested = sandbox.stop_requested
        app = Flask("admin")
        app.add_url_rule("/journal", view_func=self._journal, methods=["GET"])
        app.add_url_rule("/seed", view_func=self._seed, methods=["POST"])
        app.add_url_rule("/notices", view_func=self._notices, methods=["GET"])
        app.add_url_rule("/seek", view_func=self._seek, methods=["POST"])
        app.add_url_rule("/token", view_func=self._token, methods=["POST"])
        app.add_url_rule("/stop", view_func=self._stop, methods=["POST"])
        app.add_url_rule("/faults", view_func=self._plant, methods=["POST"])
        app.add_url_rule("/faults", view_func=self._planted, methods=["GET"])
        app.add_url_rule("/faults", view_func=self._clear, methods=["DELETE"])
        app.add_url_rule("/hold", view_func=self._hold, methods=["POST"])
        app.add_url_rule("/hold", view_func=self._holds, methods=["GET"])
        app.add_url_rule("/hold", view_func=self._release, methods=["DELETE"])
        app.add_url_rule("/kill", view_func=self._kill, methods=["POST"])
        app.add_url_rule("/start", view_func=self._start, methods=["POST"])
        app.register_error_handler(ValidationError, _refused)
        app.register_error_handler(LookupError, _not_there)
        self._service = Service(app)

    def start(self) -> str:
        """Starts to answer; returns the address."""
        return self._service.start().url

    def stop(self) -> None:
        """Stops to answer."""
        self._service.stop()

    def _journal(self) -> Response:
        since = request.args.get("since", 0, type=int)
        journal = self._sandbox.journal
        total = len(journal)
        filters = {name: request.args.get(name) for name in ("service", "operation")}
        return jsonify({"next": total, "entries": list(journal.as_json(since=since, **filters))})

    def _seed(self) -> Response:
        seed = Seed.model_validate(request.get_json(force=True))
        planted = [
            self._sandbox.aws.add_account(
                account.name,
                parent_id=account.parent_id,
                state=account.state,
                tags=account.tags,
                joined_at=account.joined_at,
            )
            for account in seed.accounts
        ]
        for failure in seed.stack_failures:
            self._sandbox.aws.fail_stack_instances(failure.account, failure.reason, times=failure.times)
        plant(self._sandbox.azure, seed)
        for path in seed.folders:
            self._sandbox.gcp.folder_at(path)
        projects = [plant_project(self._sandbox.gcp, project) for project in seed.projects]
        return jsonify({"accounts": planted, "projects": projects})

    def _notices(self) -> Response:
        receivers = self._sandbox.azure.receivers
        return jsonify({name: receivers.taken(name) for name in ("teams", "webhook")})

    def _seek(self) -> Response:
        return jsonify({"messages": self._sandbox.gcp.seek()})

    def _token(self) -> Response:
        wanted = TokenRequest.model_validate(request.get_json(force=True))
        try:
            if wanted.audience == GOOGLE:
                return jsonify({"access_token": self._sandbox.gcp.token_of(wanted.role)})
            return jsonify({"access_token": self._sandbox.azure.mint(wanted.role, wanted.audience)})
        except KeyError as unknown:
            known = self._names_at_google() if wanted.audience == GOOGLE else self._sandbox.azure.directory.names
            raise LookupError(f"nobody is named {wanted.role}; there are {', '.join(known)}") from unknown

    def _names_at_google(self) -> list[str]:
        return ["the e-mail address of any person", *sorted(self._sandbox.gcp.identities.accounts)]

    def _plant(self) -> Response:
        given = request.get_json(force=True)
        faults = _FAULTS.validate_python(given if isinstance(given, list) else [given])
        return jsonify({"ids": [self._sandbox.faults.plant(fault) for fault in faults]})

    def _planted(self) -> Response:
        return jsonify({"faults": self._sandbox.faults.planted()})

    def _clear(self) -> tuple[str, int]:
        self._sandbox.faults.clear()
        return "", 204

    def _hold(self) -> Response:
        hold = Hold.model_validate(request.get_json(force=True))
        return jsonify({"id": self._sandbox.faults.hold(hold)})

    def _holds(self) -> Response:
        return jsonify({"holds": self._sandbox.faults.holds()})

    def _release(self) -> tuple[str, int]:
        """Releases all holds; `?drop=true` drops the held requests, for clients that were killed."""
        self._sandbox.faults.release(drop=request.args.get("drop") == "true")
        return "", 204

    def _kill(self) -> tuple[str, int]:
        self._sandbox.kill(ProcessName.model_validate(request.get_json(force=True)).process)
        return "", 204

    def _start(self) -> tuple[str, int]:
        self._sandbox.start_host(ProcessName.model_validate(request.get_json(force=True)).process)
        return "", 204

    def _stop(self) -> tuple[str, int]:
        threading.Timer(0.05, self.stop_requested.set).start()
        return "", 202


def _refused(error: ValidationError) -> tuple[Response, int]:
    problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    return jsonify({"error": problems}), 400


def _not_there(error: LookupError) -> tuple[Response, int]:
    return jsonify({"error": [str(error)]}), 404
