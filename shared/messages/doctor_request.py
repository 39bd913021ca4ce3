"""How a Lambda function is asked for its findings; apart from them, so that every event can be compared with it."""

from __future__ import annotations

REQUEST = {"rollcall": "doctor"}
"""The event by which a Lambda function is asked; no service of AWS sends one like it."""
