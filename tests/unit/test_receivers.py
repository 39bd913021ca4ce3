"""Which receiver a policy means, and that its settings are read when it is told, not before."""

from __future__ import annotations

import logging

import pytest
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled

from functions.receivers import SettingReceivers
from shared.domain.policy import Notification, ReceiverKind
from shared.errors import ConfigurationError
from tests.unit.test_notice_bodies import KEY, ORDINARY

TEAMS = Notification(kind=ReceiverKind.TEAMS, setting="ROLLCALL_NOTIFY_OPS")
SIEM = Notification(kind=ReceiverKind.WEBHOOK, setting="ROLLCALL_NOTIFY_SIEM")
REFERENCE = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/ops/)"


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Whom something was sent to, and the signature that it had."""
    sent: list[tuple[str, str]] = []

    def post(receiving: object, body: bytes, headers: dict[str, str] | None = None) -> None:
        sent.append((vars(receiving)["_address"], (headers or {}).get("webhook-signature", "")[:3]))

    monkeypatch.setattr("shared.adapters.notify.post.Receiving.post", post)
    return sent


def test_each_kind_goes_to_the_address_in_its_setting(
    monkeypatch: pytest.MonkeyPatch, posted: list[tuple[str, str]]
) -> None:
    monkeypatch.setenv("ROLLCALL_NOTIFY_OPS", "https://ops.example/workflow")
    monkeypatch.setenv("ROLLCALL_NOTIFY_SIEM", "https://siem.example/hook")
    monkeypatch.setenv("ROLLCALL_NOTIFY_SIEM_KEY", KEY)
    SettingReceivers().find(TEAMS).tell(ORDINARY)
    SettingReceivers().find(SIEM).tell(ORDINARY)
    assert posted == [("https://ops.example/workflow", ""), ("https://siem.example/hook", "v1,")]


@pytest.mark.parametrize("receiver", [TEAMS, SIEM])
def test_a_receiver_is_called_without_a_span_and_its_address_is_kept_out_of_the_log(
    receiver: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[bool] = []
    monkeypatch.setattr(
        "shared.adapters.notify.post.Receiving.post", lambda *_: traced.append(is_http_instrumentation_enabled())
    )
    monkeypatch.setenv(receiver.key_setting, KEY)
    loggers = [logging.getLogger(f"urllib3.{name}") for name in ("connectionpool", "connection")]
    for each in loggers:
        monkeypatch.setattr(each, "level", logging.NOTSET)
    SettingReceivers().find(receiver).tell(ORDINARY)
    assert traced == [False]
    assert is_http_instrumentation_enabled(), "else there was nothing to end"
    assert [each.level for each in loggers] == [logging.INFO, logging.ERROR]


@pytest.mark.parametrize("receiver", [TEAMS, SIEM])
@pytest.mark.parametrize(("value", "words"), [("", "is missing"), (REFERENCE, "is not resolved")])
def test_a_setting_that_is_missing_or_not_resolved_is_named_with_what_to_do(
    receiver: Notification, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(receiver.setting, value)
    monkeypatch.setenv(receiver.key_setting, KEY)
    with pytest.raises(ConfigurationError, match=words) as refused:
        SettingReceivers().find(receiver).tell(ORDINARY)
    assert refused.value.setting == receiver.setting
    assert receiver.setting in refused.value.remedy


def test_a_webhook_without_its_key_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, posted: list[tuple[str, str]]
) -> None:
    monkeypatch.setenv("ROLLCALL_NOTIFY_SIEM", "https://siem.example/hook")
    with pytest.raises(ConfigurationError) as refused:
        SettingReceivers().find(SIEM).tell(ORDINARY)
    assert refused.value.setting == "ROLLCALL_NOTIFY_SIEM_KEY"
    assert posted == []
