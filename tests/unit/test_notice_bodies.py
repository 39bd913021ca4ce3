"""What receivers get: golden bodies, Microsoft's schema of cards, another's reading of the signature, any name."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import standardwebhooks

from shared.adapters.notify import teams
from shared.adapters.notify.teams import CAUSES, MOST_BYTES, card_of, message_of
from shared.adapters.notify.webhook import Webhook
from shared.domain.accounts import Provider
from shared.domain.ledger import AccountKey
from shared.domain.notice import EXAMPLES, Notice, changes_between, notice_of
from shared.domain.sweep.findings import SweepFinding
from shared.domain.sweep.kinds import CONNECTOR_MISSING, MACHINE_ORPHANED, MESSAGES_GIVEN_UP, SWEEP_KINDS
from shared.errors import ConfigurationError
from shared.messages.roll_notice import notice_id, notice_json
from shared.messages.schemas import FOLDER as SCHEMAS
from tests.fakes.clock import NOON
from tests.fakes.roll import HOSTILE, about, newest, record

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "fixtures" / "notices"
GUIDE = ROOT / "docs" / "guides" / "notifications.md"
KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
MACHINES = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.HybridCompute/machines/"
LONGEST = "n" * 256


def notice(*findings: SweepFinding, before: tuple[SweepFinding, ...] | None = None, name: str = "shop-prod") -> Notice:
    """A notice about these, whose accounts all have the name."""
    after = newest([about(each) for each in findings], 10)
    earlier = newest([about(each) for each in before], 10) if before is not None else None
    accounts = {each.account for each in (*findings, *(before or ())) if each.account}
    records = {
        AccountKey(provider=Provider.AWS, hierarchy_identifier=each): record(int(each) - 100_000_000_000, name=name)
        for each in accounts
    }
    since = "20261119T050000Z-0123abcd" if before is not None else ""
    return notice_of(after, changes_between(earlier, after), records, since=since)


def missing(number: int) -> SweepFinding:
    account = str(100_000_000_000 + number)
    return CONNECTOR_MISSING.about(account, "no connector of the tenant holds the account", account=account)


GIVEN_UP = MESSAGES_GIVEN_UP.about("queue/onboarding-poison", "3 messages wait on onboarding-poison")
ORDINARY = notice(*(missing(number) for number in range(5)), before=(missing(0), GIVEN_UP))


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, dict[str, str]]]:
    """What would have been sent, by body and headers."""
    sent: list[tuple[bytes, dict[str, str]]] = []
    monkeypatch.setattr(
        "shared.adapters.notify.post.Receiving.post",
        lambda _, body, headers=None: sent.append((body, dict(headers or {}))),
    )
    return sent


class RealClock:
    """Now, which another's library compares with."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def webhook(key: str = KEY) -> Webhook:
    return Webhook(
        "https://hooks.example/rollcall", key, setting="THE_ADDRESS", key_setting="THE_KEY", clock=RealClock()
    )


def schema() -> Any:
    return json.loads(files("adaptive_cards").joinpath("schemas/schema-1.5.json").read_text(encoding="utf-8"))


def valid_by_microsofts_schema(card: dict[str, Any]) -> bool:
    """`msteams` is Teams' own extension, of which the schema knows nothing."""
    plain = {name: value for name, value in card.items() if name != "msteams"}
    return jsonschema.Draft6Validator(schema()).is_valid(plain)


def runs(element: Any) -> Iterator[str]:
    """Every text that a card shows."""
    if isinstance(element, dict):
        if element.get("type") == "TextRun":
            yield element["text"]
        for value in element.values():
            yield from runs(value)
    elif isinstance(element, list):
        for value in element:
            yield from runs(value)


def kinds(element: Any) -> set[str]:
    if isinstance(element, dict):
        return {str(element.get("type", ""))}.union(*(kinds(value) for value in element.values()))
    return set().union(*(kinds(each) for each in element)) if isinstance(element, list) else set()


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("card.ordinary", card_of(ORDINARY)),
        ("card.first", card_of(notice(missing(1), MACHINE_ORPHANED.about(f"{MACHINES}i-0", "its instance is gone")))),
        ("card.resolved", card_of(notice(before=(missing(1), GIVEN_UP)))),
        ("webhook.ordinary", json.loads(notice_json(ORDINARY))),
    ],
)
def test_bodies_are_the_golden_ones(name: str, made: dict[str, Any]) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert made == golden


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("card.*.json")), ids=lambda path: path.stem)
def test_golden_cards_are_valid_by_microsofts_own_schema(path: Path) -> None:
    card = json.loads(path.read_text(encoding="utf-8"))
    assert valid_by_microsofts_schema(card)
    card["body"][0]["inlines"][0]["weight"] = "Heavy"
    assert not valid_by_microsofts_schema(card), "the schema looks"


def test_golden_webhooks_are_valid_by_our_published_schema() -> None:
    ours = json.loads((SCHEMAS / "roll-notice-1.schema.json").read_text(encoding="utf-8"))
    for path in GOLDEN.glob("webhook.*.json"):
        jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), ours)


@pytest.mark.parametrize("name", [*HOSTILE, LONGEST, "**bold** [x](https://e.example) <at>all</at> {{DATE(1,SHORT)}}"])
def test_any_name_is_text_in_a_card(name: str) -> None:
    machine = MACHINE_ORPHANED.about(f"{MACHINES}{name}", f"{name} has no instance", account="100000000001")
    made = notice(missing(1), machine, name=name)
    card = card_of(made)
    assert valid_by_microsofts_schema(card)
    assert kinds(card) == {"AdaptiveCard", "Container", "RichTextBlock", "TextRun", ""}, "nothing reads Markdown"
    texts = list(runs(card))
    assert not [text for text in texts if HIDDEN.search(text)]
    assert max(len(text) for text in texts) <= 600
    assert any("shop" in text or name[:20].strip("\t\x1b\u200f") in text or "\\u{" in text for text in texts)
    assert json.loads(message_of(made))["attachments"][0]["content"] == card


def test_a_card_of_everything_at_once_stays_below_what_teams_takes() -> None:
    everything = [
        kind.about(f"{MACHINES}{'🚀' * 250}{number}", "🚀" * 1000, account=f"{100_000_000_000 + number}")
        for kind in SWEEP_KINDS
        for number in range(EXAMPLES + 4)
    ]
    made = notice(*everything, name="🚀" * 256)
    assert len(made.causes) > CAUSES
    message = message_of(made)
    assert 20_000 < len(message) <= MOST_BYTES < 28_000
    card = json.loads(message)["attachments"][0]["content"]
    named = sum(each["type"] == "Container" for each in card["body"])
    assert 3 < named < CAUSES
    assert any(text.startswith(f"And {len(made.causes) - named} more causes: ") for text in runs(card))


def test_a_card_names_twelve_causes_and_counts_the_others() -> None:
    made = notice(*(kind.about("x", "short") for kind in SWEEP_KINDS))
    texts = list(runs(json.loads(message_of(made))))
    left = len(made.causes) - CAUSES
    assert f"And {left} more causes: {left} new, 0 resolved." in texts


def test_a_command_is_shown_whole_or_not_at_all() -> None:
    create = "gcloud iam workload-identity-pools providers create-oidc defender-cspm --issuer-uri=https://sts.example/"
    for length, seen in ((600, True), (601, False)):
        command = create + "x" * (length - len(create))
        finding = CONNECTOR_MISSING.about("100000000001", "none", account="100000000001", remedy=f"Run `{command}`.")
        made = notice(finding)
        assert made.command == command
        texts = list(runs(card_of(made)))
        assert texts.count(command) == (2 if seen else 0)
        assert not [text for text in texts if text.startswith("gcloud") and text != command]
        assert texts.count("rollcall report --open") == (1 if seen else 3)


def test_an_incomplete_sweep_says_so_first() -> None:
    incomplete = Notice(**(vars(ORDINARY) | {"complete": False}))
    assert teams._INCOMPLETE in list(runs(card_of(incomplete)))
    assert teams._INCOMPLETE not in list(runs(card_of(ORDINARY)))


def test_the_signature_is_what_a_library_of_standard_webhooks_verifies(
    posted: list[tuple[bytes, dict[str, str]]],
) -> None:
    webhook().tell(ORDINARY)
    [(body, headers)] = posted
    theirs = standardwebhooks.Webhook(KEY)
    assert theirs.verify(body, headers) == json.loads(body)
    for spoilt in (body + b" ", body.replace(b"new", b"old", 1)):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            theirs.verify(spoilt, headers)
    other = {"webhook-id": "another", "webhook-timestamp": "1", "webhook-signature": "v1,QUJD"}
    assert other.keys() == headers.keys()
    for header, value in other.items():
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            theirs.verify(body, headers | {header: value})


def verify_of_the_guide() -> Callable[[str, dict[str, str], bytes], bool]:
    """The lines that the guide gives to whoever receives."""
    [block] = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    found: dict[str, Any] = {}
    exec(block, found)
    verify: Callable[[str, dict[str, str], bytes], bool] = found["verify"]
    return verify


def test_the_lines_of_the_guide_verify_what_is_sent_and_refuse_everything_else(
    posted: list[tuple[bytes, dict[str, str]]],
) -> None:
    webhook().tell(ORDINARY)
    [(body, headers)] = posted
    verify = verify_of_the_guide()
    assert verify(KEY, headers, body)
    assert verify(KEY.removeprefix("whsec_"), headers, body)
    other = "whsec_" + "QUJD" * 8
    assert not verify(other, headers, body)
    assert not verify(KEY, headers, body + b" ")
    assert not verify(KEY, headers | {"webhook-id": "another"}, body)
    old = str(int(time.time()) - 301)
    text = f"{headers['webhook-id']}.{old}.".encode() + body
    signed = hmac.digest(base64.b64decode(KEY.removeprefix("whsec_")), text, "sha256")
    again = headers | {"webhook-timestamp": old, "webhook-signature": f"v1,{base64.b64encode(signed).decode()}"}
    assert not verify(KEY, again, body), "well signed, and too old"


@pytest.mark.parametrize(
    "key",
    ["", "short", "not base64 at all!", "@Microsoft.KeyVault(SecretUri=https://v/secrets/k/)", "QUJD" * 40]
    + [base64.b64encode(bytes(23)).decode(), base64.b64encode(bytes(65)).decode(), "QUJD" * 8 + "!"],
)
def test_a_key_that_is_none_signs_nothing(key: str, posted: list[tuple[bytes, dict[str, str]]]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        webhook(key).tell(ORDINARY)
    assert refused.value.setting == "THE_KEY"
    assert not posted
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize("length", [24, 64])
def test_the_shortest_and_the_longest_key_sign(length: int, posted: list[tuple[bytes, dict[str, str]]]) -> None:
    webhook(base64.b64encode(bytes(length)).decode()).tell(ORDINARY)
    assert len(posted) == 1


def test_a_notice_has_the_same_name_at_each_try_and_another_for_another_sweep() -> None:
    later = Notice(**(vars(ORDINARY) | {"since": "20261126T050000Z-0123abcd"}))
    assert notice_id(ORDINARY) == notice_id(Notice(**vars(ORDINARY)))
    assert notice_id(later) != notice_id(ORDINARY)
    assert notice_id(Notice(**(vars(ORDINARY) | {"since": ""}))) == f"{ORDINARY.run}.first"
    assert json.loads(notice_json(ORDINARY))["notice_id"] == notice_id(ORDINARY)
    assert ORDINARY.ended_at == NOON - timedelta(hours=7)


def test_the_body_of_a_webhook_is_ascii_and_says_names_as_they_are() -> None:
    made = notice(missing(1), name="invoice\u202egpj.exe")
    body = notice_json(made)
    assert body.isascii()
    assert json.loads(body)["causes"][0]["examples"][0]["name"] == "invoice\u202egpj.exe"
