"""Every check of `rollcall doctor`, by its key; each has its heading in docs/guides/doctor.md."""

from __future__ import annotations

from shared.domain.doctor.aws_checks import AWS_CHECKS
from shared.domain.doctor.azure_checks import AZURE_CHECKS
from shared.domain.doctor.gcp_checks import GCP_CHECKS
from shared.domain.doctor.lambda_checks import LAMBDA_CHECKS
from shared.domain.doctor.policy_checks import POLICY_CHECKS

CHECKS = {check.key: check for check in (*AWS_CHECKS, *LAMBDA_CHECKS, *AZURE_CHECKS, *GCP_CHECKS, *POLICY_CHECKS)}
