"""Who may do what: roles, and the policies of organization, folders, projects and service accounts.

Permissions are inherited downwards. A binding with a condition grants nothing here: conditions are not evaluated.
Source: IAM "Roles and permissions reference", of each role the permissions that this sandbox asks for.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable
from typing import Any

from sandbox.gcp.answers import refusal
from sandbox.gcp.callers import Caller

_SEEING = {
    "resourcemanager.folders.get",
    "resourcemanager.folders.list",
    "resourcemanager.organizations.get",
    "resourcemanager.projects.get",
    "resourcemanager.projects.list",
}
_BEING = {"iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken"}
_POOLS = {
    f"iam.{kind}.{verb}"
    for kind in ("workloadIdentityPools", "workloadIdentityPoolProviders")
    for verb in ("get", "list")
}
_OF_DEFENDERS = (
    "roles/artifactregistry.reader",
    "roles/artifactregistry.writer",
    "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    "roles/container.admin",
    "roles/container.viewer",
    "roles/osconfig.osPolicyAssignmentAdmin",
    "roles/osconfig.osPolicyAssignmentReportViewer",
    "roles/pubsub.admin",
    "roles/pubsub.publisher",
    "roles/storage.objectUser",
    "roles/storage.objectViewer",
)
"""Of what they permit this sandbox asks for nothing."""
PREDEFINED: dict[str, frozenset[str]] = {
    "roles/owner": frozenset({"*"}),
    "roles/browser": frozenset(_SEEING),
    "roles/resourcemanager.projectCreator": frozenset({"resourcemanager.projects.create"}),
    "roles/resourcemanager.projectMover": frozenset({"resourcemanager.projects.move", "resourcemanager.projects.get"}),
    "roles/serviceusage.serviceUsageViewer": frozenset({"serviceusage.services.get", "serviceusage.services.list"}),
    "roles/serviceusage.serviceUsageAdmin": frozenset(
        {
            "serviceusage.operations.get",
            *(f"serviceusage.services.{verb}" for verb in ("get", "list", "enable", "disable")),
        }
    ),
    "roles/viewer": frozenset(
        {
            *_SEEING,
            *_POOLS,
            *(f"serviceusage.services.{verb}" for verb in ("get", "list")),
            *(f"compute.{kind}.{verb}" for kind in ("projects", "instances") for verb in ("get", "list")),
            "iam.roles.get",
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.list",
        }
    ),
    "roles/orgpolicy.policyViewer": frozenset({"orgpolicy.policy.get"}),
    **dict.fromkeys(_OF_DEFENDERS, frozenset()),
    "roles/compute.viewer": frozenset({"compute.projects.get", "compute.instances.get", "compute.instances.list"}),
    "roles/iam.workloadIdentityUser": frozenset({*_BEING, "iam.serviceAccounts.get"}),
    "roles/iam.serviceAccountTokenCreator": frozenset({*_BEING, "iam.serviceAccounts.get"}),
    "roles/iam.serviceAccountViewer": frozenset({"iam.serviceAccounts.get", "iam.serviceAccounts.list"}),
    "roles/iam.workloadIdentityPoolViewer": frozenset(_POOLS),
    "roles/iam.securityReviewer": frozenset(
        {
            "iam.serviceAccounts.getIamPolicy",
            "iam.serviceAccounts.get",
            "resourcemanager.projects.getIamPolicy",
            *_POOLS,
        }
    ),
}


class Access:
    """Roles and policies; thread-safe. Resources by their names: `projects/<number>`, `serviceAccounts/<e-mail>`."""

    def __init__(self) -> None:
        self._custom: dict[str, frozenset[str]] = {}
        self._stages: dict[str, str] = {}
        self._bindings: dict[str, list[dict[str, Any]]] = {}
        self._used: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def define(self, role: str, permissions: Iterable[str]) -> None:
        """Makes a custom role, or replaces it."""
        self._custom[role] = frozenset(permissions)
        self._stages[role] = "GA"

    def forget(self, role: str) -> None:
        """A custom role as it is when the days are over in which it can be undeleted."""
        self._custom.pop(role)

    def stage(self, role: str, stage: str) -> None:
        """`DELETED`, `DISABLED` or `GA`; only the last grants anything."""
        self._stages[role] = stage

    def role(self, role: str) -> dict[str, Any] | None:
        """A custom role as IAM shows it."""
        if role not in self._custom:
            return None
        stage = self._stages[role]
        body: dict[str, Any] = {
            "name": role,
            "title": role.rpartition("/")[2],
            "includedPermissions": sorted(self._custom[role]),
            "etag": "BwXhqDVIbnI=",
        }
        return body | ({"deleted": True} if stage == "DELETED" else {"stage": stage})

    def grant(self, resource: str, role: str, member: str) -> None:
        """Adds a member to the binding of a role. KeyError for a role that nobody knows."""
        self._permissions(role)
        with self._lock:
            bindings = self._bindings.setdefault(resource, [])
            for binding in bindings:
                if binding["role"] == role and "condition" not in binding:
                    binding["members"] = sorted({*binding["members"], member})
                    return
            bindings.append({"role": role, "members": [member]})

    def revoke(self, resource: str, role: str, member: str | None = None) -> None:
        """Takes a member, or all, out of the bindings of a role."""
        with self._lock:
            left = []
            for binding in self._bindings.get(resource, []):
                kept = [each for each in binding["members"] if binding["role"] != role or member not in {None, each}]
                if kept:
                    left.append(binding | {"members": kept})
            self._bindings[resource] = left

    def policy(self, resource: str) -> dict[str, Any]:
        """The policy of one resource, without what it inherits."""
        with self._lock:
            bindings = [dict(each) for each in self._bindings.get(resource, [])]
        version = 3 if any("condition" in each for each in bindings) else 1
        etag = hashlib.sha256(json.dumps(bindings).encode()).hexdigest()[:10]
        found: dict[str, Any] = {"version": version, "etag": f"Bw{etag}="}
        return {"bindings": bindings, **found} if bindings else found

    def replace(self, resource: str, policy: dict[str, Any]) -> dict[str, Any]:
        """Sets the policy of one resource.

        Raises:
            RefusalError: 409 for an etag that is not the present one, 400 for a role that nobody knows.
        """
        if policy.get("etag") not in {None, "", self.policy(resource)["etag"]}:
            text = (
                "There were concurrent policy changes. Please retry the whole read-modify-write with exponential "
                "backoff."
            )
            raise refusal(409, text, status="ABORTED")
        bindings = [dict(each) for each in policy.get("bindings", [])]
        for binding in bindings:
            try:
                self._permissions(str(binding["role"]))
            except KeyError as error:
                raise refusal(400, f"Role {binding['role']} is not supported for this resource.") from error
        with self._lock:
            self._bindings[resource] = bindings
        return self.policy(resource)

    def allows(self, caller: Caller, permission: str, resources: Iterable[str]) -> bool:
        """Whether the caller has the permission on any of these: a resource and all above it."""
        with self._lock:
            bindings = [binding for name in resources for binding in self._bindings.get(name, [])]
        for binding in bindings:
            if "condition" in binding or not caller.members & set(binding["members"]):
                continue
            granted = self._permissions(binding["role"])
            if permission in granted or "*" in granted:
                with self._lock:
                    self._used.setdefault(caller.name, set()).add(permission)
                return True
        return False

    def used_by(self, name: str) -> frozenset[str]:
        """The permissions that a caller needed and had, until now."""
        with self._lock:
            return frozenset(self._used.get(name, ()))

    def _permissions(self, role: str) -> frozenset[str]:
        if role in self._custom:
            return self._custom[role] if self._stages[role] == "GA" else frozenset()
        return PREDEFINED.get(role, frozenset()) if role in self._stages else PREDEFINED[role]
