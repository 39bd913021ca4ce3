"""Entra's numbers stand for the refusals that live answers and public issues give them."""

from __future__ import annotations

import pytest

from shared.adapters.azure import reasons
from shared.adapters.azure.refusals import diagnose_token
from shared.adapters.diagnosis import Diagnosis


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (70021, reasons.FEDERATION_NOT_FOUND),
        (700213, reasons.FEDERATION_NOT_FOUND),
        (7002137, reasons.FEDERATION_NOT_FOUND),
        (7000272, reasons.ASSERTION_REFUSED),
        (7000274, reasons.ASSERTION_REFUSED),
        (5002738, reasons.ASSERTION_REFUSED),
        (50027, reasons.ASSERTION_REFUSED),
        (50166, reasons.ISSUER_UNREACHABLE),
        (501661, reasons.ISSUER_UNREACHABLE),
        (90061, reasons.ISSUER_UNREACHABLE),
        (999999, reasons.NO_TOKEN),
    ],
)
def test_a_refused_assertion_is_told_by_its_number(number: int, meant: Diagnosis) -> None:
    assert diagnose_token(401, f"AADSTS{number}: words that change with the season. Trace ID: 1") is meant
