"""Names of the events that Rollcall itself puts on the bus."""

from __future__ import annotations

from shared.application.requests import OPERATOR

OWN_SOURCE = OPERATOR
ONBOARD_REQUESTED = "Account Onboarding Requested"
RECONCILE_SOURCE = "rollcall.reconcile"
RECONCILE_REQUESTED = "Reconciliation Requested"
