"""Names of the events that Rollcall itself puts on the bus."""

from __future__ import annotations

OWN_SOURCE = "rollcall"
ONBOARD_REQUESTED = "Account Onboarding Requested"
RECONCILE_SOURCE = "rollcall.reconcile"
RECONCILE_REQUESTED = "Reconciliation Requested"
