"""What the Lambda functions say of their own way to Azure, each as its own role."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from shared.domain.doctor.verdicts import Check, Side, Team, Verdict, failed
from shared.errors import RollcallError

_AWS = "https://docs.aws.amazon.com"
_LEARN = "https://learn.microsoft.com"
_check = partial(Check, side=Side.LAMBDA)
AUDIENCE = "api://AzureADTokenExchange"

INVOKE = _check(
    key="lambda-answers",
    team=Team.AWS,
    title="The Lambda functions answer",
    purpose="Only a function can say whether its own role gets to Azure.",
    remedy="Have lambda:InvokeFunction on the stack's functions; see their log where they fail.",
    link=f"{_AWS}/lambda/latest/dg/troubleshooting-invocation.html",
)
TOKEN = _check(
    key="lambda-token",
    team=Team.AWS,
    title="A web identity token for the function's role",
    purpose="STS vouches for the role towards Entra; its claims are what the federated credential has to say.",
    remedy="Switch outbound web identity federation on, and let the role have sts:GetWebIdentityToken.",
    command="aws iam enable-outbound-web-identity-federation",
    link=f"{_AWS}/IAM/latest/UserGuide/id_roles_providers_outbound.html",
)
FEDERATION = _check(
    key="entra-federated-credential",
    team=Team.IDENTITY,
    title="The federated credential of the function's role",
    purpose="Entra takes AWS's token only where issuer, subject and audience are, letter by letter, those of a "
    "federated credential.",
    remedy="Make the credential as the command has it; where Entra names the issuer, the subject or the audience, that "
    "part of the one that is there differs.",
    link=f"{_LEARN}/entra/workload-id/workload-identity-federation-considerations",
)
QUEUE = _check(
    key="lambda-queue",
    team=Team.AZURE,
    title="The queue `onboarding`, as the function reaches it",
    purpose="Every request of AWS's side goes there. A probe is put, which the Function App takes off and forgets.",
    remedy="Give the application Storage Queue Data Message Sender on the queue, and let the network through.",
    link=f"{_LEARN}/azure/storage/queues/assign-azure-role-data-access",
)
POLICY = _check(
    key="lambda-policy",
    team=Team.AWS,
    title="The policy, as the function reads it",
    purpose="It decides which accounts take part, and which roles they get.",
    remedy="Publish a policy that `rollcall policy check` takes, where the stack's PolicyBucket and PolicyKey say.",
    command="rollcall policy publish FILE",
    link=f"{_AWS}/AmazonS3/latest/userguide/access-policy-language-overview.html",
)
LAMBDA_CHECKS = (INVOKE, TOKEN, FEDERATION, QUEUE, POLICY)
OF_A_FUNCTION = (TOKEN, FEDERATION, QUEUE, POLICY)


@dataclass(frozen=True, kw_only=True)
class TokenClaims:
    """What a web identity token says of its role."""

    issuer: str
    subject: str
    audience: str


def federation_verdict(function: str, claims: TokenClaims, refusal: RollcallError | None) -> Verdict:
    """Whether Entra took the token; if not, how the credential is made that it would take."""
    evidence = {"issuer": claims.issuer, "subject": claims.subject, "audience": claims.audience}
    if refusal is None:
        return FEDERATION.ok("Entra takes its token", subject=function, evidence=evidence)
    command = (
        f"az identity federated-credential create --identity-name rollcall-lambda-queue-sender --resource-group GROUP "
        f"--name {function} --issuer {claims.issuer} --subject {claims.subject} --audiences {claims.audience}"
    )
    told = failed(FEDERATION, refusal, command=command, subject=function)
    return FEDERATION.wrong(told.reason, subject=function, command=command, evidence=evidence) if told.command else told
