"""The recordings that no simulator is asked again, and why."""

from __future__ import annotations

_PROVIDER = "the sandbox has no such provider: it answers 404 and says so"
_WRITE = "Arc machines can be seeded, read and deleted, not written"
_QUOTED = "text quoted in an issue, without request and headers; the error table of the adapters reads it"
_OLD = "an older form of an answer whose present form is replayed"
_GRAPH_API = "Microsoft Graph is not simulated: federated credentials are seeded"
_GCP = "compared with the simulated Google Cloud, or said to be of an older version, in test_gcp_recordings.py"
_AWS = "compared with the overlay in test_recorded_aws_answers.py"

NOT_REPLAYED: dict[str, str] = {
    "appservice-msi-token-400-2017": "version 2017-09-01 of the identity endpoint; 2019-08-01 is simulated",
    "arc-machine-patch-200": _WRITE,
    "arc-machine-put-200": _WRITE,
    "arc-publiccloudconnector-delete-200": _PROVIDER,
    "arc-publiccloudconnector-put-aws-200": _PROVIDER,
    "arc-publiccloudconnectors-list-aws-200": _PROVIDER,
    "arc-solutionconfiguration-put-authorizationpending-200": _PROVIDER,
    "arg-query-managementgroups-200": "management groups are not simulated, neither as a scope nor as rows: 400",
    "arm-403-authorizationfailed-rolewrite": "role assignments are seeded; the same envelope is replayed for a read",
    "arm-403-requestdisallowedbypolicy": "no policies in the sandbox; " + _QUOTED,
    "arm-404-2024-fullheaders": "another provider's own envelope; the error table of the adapters reads it",
    "arm-412-preconditionfailed-bare-envelope": "another provider; connectors have no etag",
    "arm-412-storagenotprovisioned": "another provider's business rule",
    "arm-429-appservice-lock-envelope": "another provider's own envelope; the error table of the adapters reads it",
    "arm-429-toomanyrequests": "another provider's own throttling",
    "arm-put-ratelimit-2026-writes-199": "deployments are not simulated; the same counters are replayed for a read",
    "arm-resourcegroup-delete-202-retryafter-15": "resource groups are not deleted in the sandbox",
    "aws-describe-stack-instance-outdated-200": _AWS,
    "aws-describe-stack-set-operation-succeeded-200": _AWS,
    "aws-list-stack-instances-outdated-200": _AWS,
    "aws-list-stack-instances-suspended-200": _AWS,
    "aws-organizations-describe-account-200": _AWS,
    "aws-organizations-list-accounts-2021-200": "before 2026 without the fields State and Paths; " + _OLD,
    "aws-organizations-list-accounts-for-parent-200": _AWS,
    "aws-stack-set-operation-failed-ou-not-found": _AWS,
    "entra-app-federatedcredentials-list-200": _GRAPH_API,
    "entra-identity-federatedcredential-put-201": _PROVIDER,
    "entra-identity-federatedcredentials-list-200": _PROVIDER,
    "entra-token-assertion-400-aadsts70021": _OLD,
    "entra-token-assertion-401-aadsts7002137": "a subject form of Microsoft's own first-party tokens",
    "entra-token-v1-client-credentials-200": "the version 1 token endpoint is not simulated",
    "gcp-403-service-disabled": _GCP,
    "gcp-404-sink-not-found": _GCP,
    "gcp-409-already-exists": _GCP,
    "gcp-folder-get-v2-200": _GCP,
    "gcp-iam-workloadidentitypool-409-soft-deleted": _GCP,
    "gcp-project-create-operation-200": _GCP,
    "gcp-project-get-v1-200": _GCP,
    "gcp-project-get-v3-200": _GCP,
    "gcp-project-getiampolicy-v1-200": _GCP,
    "gcp-projects-list-v1-200": _GCP,
    "gcp-serviceusage-disable-200": _GCP,
    "gcp-serviceusage-enable-operation-200": _GCP,
    "imds-token-400-missing-resource": "the sandbox is no virtual machine: the endpoint of App Service is simulated",
    "queue-message-post-400-invalidxml": "Azurite accepts characters that XML forbids: 201 in the place of 400",
    "rbac-roleassignment-put-400-unmatchedprincipaltype": _PROVIDER,
    "rbac-roleassignment-put-409-exists": _PROVIDER,
    "rbac-roleassignments-list-200": _PROVIDER,
    "security-apicollection-put-201": _PROVIDER,
    "security-assessment-put-200": _PROVIDER,
    "security-assessments-list-200": _PROVIDER,
    "security-devops-delete-lro-202": _PROVIDER,
    "security-devops-operation-accepted-200": _PROVIDER,
    "security-devops-operation-succeeded-200": _PROVIDER,
    "security-regulatory-assessment-get-200": _PROVIDER,
    "security-regulatory-control-get-200": _PROVIDER,
    "security-regulatory-standards-list-200": _PROVIDER,
    "security-securescores-list-200": _PROVIDER,
    "security-settings-put-400-arm-envelope": _PROVIDER,
    "security-suppressionrule-put-200": _PROVIDER,
}
