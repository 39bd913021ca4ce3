"""Every door through which others' documents come in, by name."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.aws_answers import AwsAnswers
from tests.fuzz.aws_events import AwsEvents
from tests.fuzz.azure_answers import AzureAnswers
from tests.fuzz.campaign import Surface
from tests.fuzz.google_answers import GoogleAnswers
from tests.fuzz.http_requests import HttpRequests
from tests.fuzz.policies import Policies
from tests.fuzz.queue_messages import QueueMessages
from tests.fuzz.templates import Templates
from tests.fuzz.tokens import Tokens

SURFACES: dict[str, Callable[[], Surface]] = {
    each.name: each
    for each in (
        AwsEvents,
        QueueMessages,
        HttpRequests,
        Policies,
        AzureAnswers,
        AwsAnswers,
        GoogleAnswers,
        Templates,
        Tokens,
    )
}
