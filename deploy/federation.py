"""Outbound web identity federation: with it Lambda functions prove to Entra who they are."""

from __future__ import annotations

from pathlib import Path

from deploy import outputs
from deploy.aws_account import REGION, check_account
from deploy.programs import act, ask, say
from deploy.settings import Settings

_INFO = ("aws", "iam", "get-outbound-web-identity-federation-info", "--region", REGION, "--output", "json")
_OFF = ("FeatureDisabled", "FeatureDisabledException")


def deploy(root: Path, settings: Settings, *, apply: bool) -> None:
    """Keeps the management account's issuer; where there is none, switches federation on with `apply`."""
    aws = settings.need_aws()
    check_account(aws)
    found = ask(*_INFO, unless=_OFF)
    if (found is None or not found["JwtVendingEnabled"]) and not apply:
        outputs.forget(root, outputs.Step.FEDERATION)
        say(f"would switch on outbound web identity federation in account {aws.management_account}")
        return
    if found is None or not found["JwtVendingEnabled"]:
        act("aws", "iam", "enable-outbound-web-identity-federation", "--region", REGION, "--output", "json")
        found = ask(*_INFO)
    outputs.keep(root, outputs.Step.FEDERATION, {"IssuerIdentifier": found["IssuerIdentifier"]})
    say(f"IssuerIdentifier {found['IssuerIdentifier']}")
