"""What has to be the case at Google."""

from __future__ import annotations

from functools import partial

from shared.domain.doctor.verdicts import Check, Side, Team

_GOOGLE = "https://cloud.google.com"
_APPLY = "make deploy-gcp APPLY=1"
_check = partial(Check, team=Team.GCP, side=Side.GCP)

ACCESS = _check(
    key="gcp-access",
    team=Team.IDENTITY,
    title="From the managed identity to Google",
    purpose="Entra's token becomes Rollcall's service account through our pool and provider: issuer, audience and "
    "subject have to be those of the managed identity.",
    remedy="Compare function_identity_object_id, token_resource and the tenant in infra/gcp with the managed identity; "
    "apply again.",
    command=_APPLY,
    link=f"{_GOOGLE}/iam/docs/troubleshooting-workload-identity-federation",
)
IDENTITIES = _check(
    key="gcp-identities",
    title="Defender's identities in the management project",
    purpose="Pool, providers, service accounts, roles, services and organization policies through which Defender gets "
    "in; members share them.",
    remedy="Apply infra/gcp with the plans and parts of the policy's profiles.",
    command=_APPLY,
    link="https://learn.microsoft.com/azure/defender-for-cloud/quickstart-onboard-gcp",
)
SINK = _check(
    key="gcp-sink",
    title="The organization's log sink",
    purpose="A creation is logged in the new project's own log: the sink has to include what is below, and to let the "
    "four kinds of entry through.",
    remedy="Apply infra/gcp again.",
    command=_APPLY,
    link=f"{_GOOGLE}/logging/docs/export/aggregated_sinks",
)
PUSH = _check(
    key="gcp-push",
    title="The push subscription",
    purpose="It brings each entry to the Function App with a token; without one, or with another audience, it is "
    "refused.",
    remedy="Apply infra/gcp with push_endpoint and push_audience of the Function App.",
    command=_APPLY,
    link=f"{_GOOGLE}/pubsub/docs/authenticate-push-subscriptions",
)
GCP_CHECKS = (ACCESS, IDENTITIES, SINK, PUSH)
