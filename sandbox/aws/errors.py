"""The errors that the overlay answers with."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):
    """An error of an AWS API: `AwsError(code, message)`.

    A class of ours because moto looks for the service of its own `ServiceException` by module name.
    """
