"""How long azure-core's own retries may wait: an answer's `Retry-After` is for the queues, which wait better.

Source: azure-core 1.41 RetryPolicy, which sleeps for as long as it is told, and fails on a date that is none.
"""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.policies import RetryPolicy

MOST_SECONDS = 5.0


class BoundedRetryPolicy(RetryPolicy[Any, Any]):
    """Waits some seconds at most; what lasts longer is raised after the last try."""

    def get_retry_after(self, response: Any) -> float | None:
        """Seconds; None where the answer says nothing that can be understood."""
        try:
            wanted = super().get_retry_after(response)
        except (ValueError, ArithmeticError):
            return None
        return wanted if wanted is None or 0 <= wanted <= MOST_SECONDS else MOST_SECONDS


def forget_long_waits(response: Any) -> None:
    """Takes from a pipeline's response what BoundedRetryPolicy would not obey: for clients that bring their own policy.

    As `raw_response_hook` it comes before the client's retries.
    """
    headers = response.http_response.headers
    for name, unit in (("Retry-After", 1.0), ("retry-after-ms", 1000.0), ("x-ms-retry-after-ms", 1000.0)):
        if name in headers and not _is_short(headers[name], unit):
            del headers[name]


def _is_short(text: str, unit: float) -> bool:
    try:
        return 0 <= float(text) / unit <= MOST_SECONDS
    except ValueError:
        return False
