"""What `rollcall template lint` can find."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.documented_access import Access
from shared.domain.role_templates import Place


class Check(StrEnum):
    """What a finding is about; docs/operations.md explains each."""

    TRANSFORM = "transform"
    PROVIDER_MISSING = "provider-missing"
    PROVIDER_THUMBPRINT = "provider-thumbprint"
    CLIENT_ID_MISSING = "client-id-missing"
    CLIENT_ID_UNKNOWN = "client-id-unknown"
    ROLE_MISSING = "role-missing"
    ROLE_RENAMED = "role-renamed"
    ROLE_UNKNOWN = "role-unknown"
    TRUST_MISSING = "trust-missing"
    TRUST_UNKNOWN = "trust-unknown"
    AUDIENCE_MISSING = "audience-missing"
    AUDIENCE_UNKNOWN = "audience-unknown"
    SESSION_NAME_MISSING = "session-name-missing"
    SESSION_NAME_WRONG = "session-name-wrong"
    EXTERNAL_ID = "external-id"
    SUBJECT = "subject"
    PERMISSION_MISSING = "permission-missing"
    PERMISSION_UNKNOWN = "permission-unknown"
    PERMISSION_UNBOUNDED = "permission-unbounded"
    ACCESS = "access"
    STATIC_KEY = "static-key"
    OLD_RUNTIME = "old-runtime"


@dataclass(frozen=True, kw_only=True)
class LintFinding:
    """One thing that is missing or not known. `subject` is the role or resource; no place: it is not in the file."""

    check: Check
    subject: str
    message: str
    place: Place | None = None


@dataclass(frozen=True, kw_only=True)
class LintReport:
    """The access type, and what was found, in the order of the file."""

    access: Access
    findings: tuple[LintFinding, ...] = field(default=())
