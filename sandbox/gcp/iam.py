"""IAM v1: workload identity pools, their providers, service accounts and who may be them.

Source: the API's discovery document. What is deleted of pools and providers stays visible for 30 days, state DELETED,
and its name is taken for so long (recorded: 409).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.gcp.answers import denied, not_permitted_issuer, refusal
from sandbox.gcp.callers import SERVICE_ACCOUNT_DOMAIN
from sandbox.gcp.operations import Operations
from sandbox.gcp.org_policies import ISSUERS, OrgPolicies
from sandbox.gcp.paging import page_of
from sandbox.gcp.policies import Policies
from sandbox.gcp.routing import Call, Gate, Route

_MOST = 100
_POOLS = r"/v1/(?P<parent>projects/(?P<project>[^/]+)/locations/global)/workloadIdentityPools"
_POOL = rf"{_POOLS}/(?P<pool>[^/:]+)"
_PROVIDER = rf"{_POOL}/providers/(?P<provider>[^/:]+)"
_ACCOUNTS = r"/v1/projects/(?P<project>[^/]+)/serviceAccounts"
_ACCOUNT = rf"{_ACCOUNTS}/(?P<email>[^/:]+)"


_PROVIDER_FIELDS = {"displayName", "description", "disabled", "attributeMapping", "attributeCondition", "oidc"}


@dataclass
class Identities:
    """What there is: pools and providers by resource name, service accounts by e-mail address."""

    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_pool(self, name: str, **fields: Any) -> dict[str, Any]:
        """Makes a pool; `name` is `projects/N/locations/global/workloadIdentityPools/P`."""
        self.pools[name] = {"name": name, "state": "ACTIVE", **fields}
        return self.pools[name]

    def add_provider(self, name: str, **fields: Any) -> dict[str, Any]:
        """Makes a provider; `name` is the pool's, `/providers/` and its own."""
        self.providers[name] = {"name": name, "state": "ACTIVE", **fields}
        return self.providers[name]

    def add_account(self, account_id: str, project_id: str, display_name: str = "") -> str:
        """Makes a service account; returns its e-mail address."""
        email = f"{account_id}@{project_id}{SERVICE_ACCOUNT_DOMAIN}"
        number = str(10**20 + secrets.randbelow(10**20))
        self.accounts[email] = {
            "name": f"projects/{project_id}/serviceAccounts/{email}",
            "projectId": project_id,
            "uniqueId": number,
            "email": email,
            "displayName": display_name or account_id,
            "etag": "MDEwMjE5MjA=",
            "oauth2ClientId": number,
        }
        return email


class Iam:
    """The operations of IAM."""

    def __init__(  # noqa: PLR0913, PLR0917 - what one service of the cloud works with
        self,
        gate: Gate,
        policies: Policies,
        identities: Identities,
        operations: Operations,
        restrictions: OrgPolicies,
    ) -> None:
        self._restrictions = restrictions
        self._gate = gate
        self._policies = policies
        self._identities = identities
        self._operations = operations

    def routes(self) -> list[Route]:
        """Every operation."""
        pools = "projects.locations.workloadIdentityPools"
        accounts = "projects.serviceAccounts"
        return [
            _route(f"{pools}.get", "GET", _POOL, self._get_pool, "workloadIdentityPools.get"),
            _route(f"{pools}.list", "GET", _POOLS, self._list_pools, "workloadIdentityPools.list"),
            _route(f"{pools}.create", "POST", _POOLS, self._create_pool, "workloadIdentityPools.create"),
            _route(f"{pools}.delete", "DELETE", _POOL, self._delete_pool, "workloadIdentityPools.delete"),
            _route(f"{pools}.providers.get", "GET", _PROVIDER, self._get_provider, "workloadIdentityPoolProviders.get"),
            _route(
                f"{pools}.providers.list",
                "GET",
                f"{_POOL}/providers",
                self._list_providers,
                "workloadIdentityPoolProviders.list",
            ),
            _route(
                f"{pools}.providers.create",
                "POST",
                f"{_POOL}/providers",
                self._create_provider,
                "workloadIdentityPoolProviders.create",
            ),
            _route(f"{pools}.operations.get", "GET", rf"/v1/(?P<operation>{_OPERATION})", self._operation, ""),
            _route(f"{accounts}.get", "GET", _ACCOUNT, self._get_account, ""),
            _route(f"{accounts}.list", "GET", _ACCOUNTS, self._list_accounts, "serviceAccounts.list"),
            _route(f"{accounts}.create", "POST", _ACCOUNTS, self._create_account, "serviceAccounts.create"),
            _route(f"{accounts}.getIamPolicy", "POST", f"{_ACCOUNT}:getIamPolicy", self._get_policy, ""),
            _route(f"{accounts}.setIamPolicy", "POST", f"{_ACCOUNT}:setIamPolicy", self._set_policy, ""),
            Route(
                id="iam.organizations.roles.get",
                method="GET",
                path=r"/v1/(?P<name>(?P<organization>organizations/[0-9]+)/roles/[^/:]+)",
                handler=self._get_role,
                permission="iam.roles.get",
                resource="{organization}",
            ),
        ]

    def _get_role(self, call: Call) -> Any:
        name = call.parts["name"]
        found = self._gate.access.role(name)
        if found is None:
            raise refusal(404, f"The role named {name} was not found.")
        return found

    def _get_pool(self, call: Call) -> Any:
        return self._pool(call)

    def _pool(self, call: Call) -> dict[str, Any]:
        return _known(self._identities.pools, _pool_name(call))

    def _list_pools(self, call: Call) -> Any:
        prefix = f"projects/{call.parts['project']}/"
        return _listed(self._identities.pools, prefix, "workloadIdentityPools", call)

    def _create_pool(self, call: Call) -> Any:
        pool_id = call.query.get("workloadIdentityPoolId", "")
        name = f"projects/{call.parts['project']}/locations/global/workloadIdentityPools/{pool_id}"
        if not pool_id:
            raise refusal(400, "Request contains an invalid argument.")
        if name in self._identities.pools:
            raise refusal(409, "Requested entity already exists")
        wanted = {key: value for key, value in call.body().items() if key in {"displayName", "description", "disabled"}}
        return self._started(name, self._identities.add_pool(name, **wanted))

    def _delete_pool(self, call: Call) -> Any:
        pool = self._pool(call)
        until = datetime.now(UTC) + timedelta(days=30)
        pool.update(state="DELETED", expireTime=until.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return self._started(pool["name"], pool)

    def _create_provider(self, call: Call) -> Any:
        pool, provider_id = self._pool(call), call.query.get("workloadIdentityPoolProviderId", "")
        name, body = f"{pool['name']}/providers/{provider_id}", call.body()
        issuer = str(body.get("oidc", {}).get("issuerUri", ""))
        if not self._restrictions.admits(f"projects/{call.parts['project']}", ISSUERS, issuer):
            raise not_permitted_issuer(pool["name"], issuer)
        if not provider_id or not issuer.startswith("https://"):
            raise refusal(400, "Request contains an invalid argument.")
        if name in self._identities.providers:
            raise refusal(409, "Requested entity already exists")
        kept = {key: value for key, value in body.items() if key in _PROVIDER_FIELDS}
        made = self._identities.add_provider(name, **kept)
        return self._started(pool["name"], made, "WorkloadIdentityPoolProvider")

    def _started(self, name: str, body: dict[str, Any], kind: str = "WorkloadIdentityPool") -> Any:
        operation = f"{name}/operations/{secrets.token_hex(12)}"
        response = {"@type": f"type.googleapis.com/google.iam.v1.{kind}", **body}
        return self._operations.start(
            operation, {"name": operation}, {"name": operation, "done": True, "response": response}
        )

    def _operation(self, call: Call) -> Any:
        return self._operations.get(call.parts["operation"])

    def _get_provider(self, call: Call) -> Any:
        return _known(self._identities.providers, f"{_pool_name(call)}/providers/{call.parts['provider']}")

    def _list_providers(self, call: Call) -> Any:
        name = self._pool(call)["name"]
        return _listed(self._identities.providers, f"{name}/providers/", "workloadIdentityPoolProviders", call)

    def _account(self, call: Call, permission: str) -> dict[str, Any]:
        """A service account that the caller may do this with.

        One that is not there is 404 to whoever names its project and may look there, and 403 to everybody else.
        """
        email, named = call.parts["email"], self._gate.hierarchy.find_project(call.parts["project"])
        account = self._identities.accounts.get(email)
        if account is None or (named is not None and account["projectId"] != named.project_id):
            if named is None or not self._gate.allows(call.caller, f"iam.{permission}", named.name):
                raise denied(f"iam.{permission}", f"projects/{call.parts['project']}/serviceAccounts/{email}")
            raise refusal(404, f"Unknown service account {email}")
        project = self._gate.hierarchy.find_project(account["projectId"])
        if project is not None:
            self._gate.check_perimeter("iam", project.number)
        above = self._gate.hierarchy.above(project.name if project else "")
        places = [f"serviceAccounts/{account['email']}", *above]
        if not self._gate.access.allows(call.caller, f"iam.{permission}", places):
            raise denied(f"iam.{permission}", account["name"])
        return account

    def _get_account(self, call: Call) -> Any:
        return self._account(call, "serviceAccounts.get")

    def _list_accounts(self, call: Call) -> Any:
        project = self._gate.hierarchy.find_project(call.parts["project"])
        owner = project.project_id if project else ""
        found = [each for each in self._identities.accounts.values() if each["projectId"] == owner]
        return page_of(found, "accounts", call.query, most=_MOST)

    def _create_account(self, call: Call) -> Any:
        project = self._gate.hierarchy.find_project(call.parts["project"])
        if project is None:
            raise refusal(404, f"Unknown project id: {call.parts['project']}")
        body = call.body()
        email = f"{body.get('accountId')}@{project.project_id}{SERVICE_ACCOUNT_DOMAIN}"
        if email in self._identities.accounts:
            raise refusal(409, f"Service account {body.get('accountId')} already exists within project {project.name}.")
        named = str(body.get("serviceAccount", {}).get("displayName", ""))
        self._identities.add_account(str(body.get("accountId")), project.project_id, named)
        return self._identities.accounts[email]

    def _get_policy(self, call: Call) -> Any:
        return self._gate.access.policy(self._policy_of(call, "serviceAccounts.getIamPolicy"))

    def _set_policy(self, call: Call) -> Any:
        resource = self._policy_of(call, "serviceAccounts.setIamPolicy")
        project = self._gate.hierarchy.find_project(self._identities.accounts[call.parts["email"]]["projectId"])
        above = project.name if project else ""
        return self._policies.set(call, resource, "iam.serviceAccounts.setIamPolicy", above)

    def _policy_of(self, call: Call, permission: str) -> str:
        return f"serviceAccounts/{self._account(call, permission)['email']}"


_OPERATION = r"projects/(?P<project>[^/]+)/locations/global/workloadIdentityPools/[^/]+/operations/[^/]+"


def _route(method_id: str, method: str, path: str, handler: Callable[[Call], Any], permission: str) -> Route:
    return Route(
        id=f"iam.{method_id}",
        method=method,
        path=path,
        handler=handler,
        permission=f"iam.{permission}" if permission else "",
        resource="projects/{project}" if permission else "",
    )


def _pool_name(call: Call) -> str:
    return f"projects/{call.parts['project']}/locations/global/workloadIdentityPools/{call.parts['pool']}"


def _known(where: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    if name not in where:
        raise refusal(404, "Requested entity was not found.")
    return where[name]


def _listed(where: dict[str, dict[str, Any]], prefix: str, key: str, call: Call) -> Any:
    deleted_too = call.query.get("showDeleted") == "true"
    found = [
        each for name, each in where.items() if name.startswith(prefix) and (deleted_too or each["state"] == "ACTIVE")
    ]
    return page_of(found, key, call.query, most=_MOST)
