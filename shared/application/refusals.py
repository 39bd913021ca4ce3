"""What the use cases themselves refuse, whatever the clouds say; each kind has its heading in docs/runbook.md."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import PermanentError, RollcallError, TransientError


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One kind of refusal; `key` is its name in logs and its heading in docs/runbook.md."""

    key: str
    remedy: str
    transient: bool = False

    @property
    def advice(self) -> str:
        """The remedy, with where to read more."""
        return f"{self.remedy} Runbook: {self.key}."

    def error(self, reason: str, remedy: str = "") -> RollcallError:
        """The error of ours; a `remedy` of the case goes before that of the kind."""
        kind = TransientError if self.transient else PermanentError
        return kind(reason, remedy=f"{remedy} {self.advice}".strip(), key=self.key)


OTHER_ORGANIZATION = Refusal(
    key="other-organization", remedy="Send the request to the deployment of its own organization."
)
UNREADABLE_MESSAGE = Refusal(
    key="unreadable-message", remedy="Export it, mend it and put it back, or discard it with a reason."
)
REMOVALS_USED_UP = Refusal(
    key="removals-used-up",
    remedy="See that the policy excludes it; then discard this and offboard it again tomorrow, or once a higher "
    "`deletions.most_per_run` is published. Where nobody asked for so many, find out who puts messages on the queue.",
)
GIVEN_UP = Refusal(
    key="given-up",
    remedy="Look for the message's id in the Function App's log, remove the cause, then replay.",
)
GCP_NOT_IN_POLICY = Refusal(
    key="gcp-not-in-policy",
    remedy="Say in the section `gcp` of the policy what projects get, publish it, then replay; or discard the request.",
)
PROJECT_NOT_READY = Refusal(
    key="project-not-ready",
    remedy="Let the project's owner enable and make what the message names; it is looked at again by itself.",
    transient=True,
)
UNREADABLE_PUSH = Refusal(
    key="unreadable-push",
    remedy="See which project it names, and that nobody but Cloud Logging may publish to the topic. Ask for the "
    "project with `rollcall onboard ID --provider gcp` and discard the push with a reason; or mend it, and replay it.",
)
PROJECT_NOT_VISIBLE = Refusal(
    key="project-not-visible",
    remedy="Give the service account of Rollcall a role at the organization that may see projects "
    "(`resourcemanager.projects.get`), then replay it; a project that is gone needs nothing: discard it with a reason.",
    transient=True,
)
ACCOUNT_NOT_LISTED = Refusal(
    key="account-not-listed",
    remedy="If it left the organization there is nothing to do; if it was just created, wait.",
    transient=True,
)
ACCOUNT_UNSENDABLE = Refusal(
    key="account-unsendable", remedy="Shorten the name or tags that the message names, then ask for the account again."
)
LISTING_INCOMPLETE = Refusal(
    key="listing-incomplete",
    remedy="Nothing was done; it is tried again. If it lasts, see whether AWS Organizations lists your accounts.",
    transient=True,
)
