"""No file of this repository holds a secret, a person's address, or a trace of the computer that it was written on."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.secret_patterns import MACHINES, Finding, findings

ROOT = Path(__file__).parents[2]

DELIBERATE = {
    ("storage-key", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6"): "the key of every Azurite, published by Microsoft",
    ("assigned-secret", "4633458b-17de-408a-874b-0445c86b69e6"): "the built-in role Key Vault Secrets User",
    ("assigned-secret", "e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImF1ZCI6WyJhIl19.x"): "claims of one letter, signed by nobody",
    ("vendor-token", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="): "the digits in order, as a webhook's key",
    ("jwt", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtYXJrZXIifQ.bWFya2Vy"): "the word marker, signed by that word",
    ("address", "state_at@odata.type"): "an annotation of OData",
    ("address", "next_free_at@odata.type"): "another",
    ("signed-url", "secret"): "the word, as the signature of a receiver that no log may tell",
    ("signed-url", "5ecret"): "the same for a receiver of the sandbox",
}
"""What looks like a secret and is none, by its kind and how it begins, with the reason."""

SAMPLES = {
    "aws-key-id": "key: AK" + "IAIOSFODNN7EXAMPLE",
    "aws-secret": "aws_secret_access_" + "key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "storage-key": base64.b64encode(bytes(range(64))).decode(),
    "connection-string": "Account" + "Key=abcdefgh1234;EndpointSuffix=core.windows.net",
    "signed-url": "https://account.blob.core.windows.net/c?sv=2024-11-04&s" + "ig=abc%2Fdef%3D",
    "entra-secret": "abc8" + "Q~" + "abcdefghijABCDEFGHIJ0123456789abcd",
    "jwt": "ey" + "JhbGciOiJub25lIn0." + "eyJzdWIiOiJ4In0.",
    "bearer": "Authorization: Bear" + "er abcdefghijklmnopqrstuvwxyz",
    "private-key": "-----BEGIN RSA PRIV" + "ATE KEY-----",
    "google-key-file": '"private_key' + '_id": "' + "0123456789" * 4 + '"',
    "google-api-key": "AI" + "zaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "google-token": "ya" + "29.a0AfH6SMBabcdefghijklmnop",
    "receiver-url": "https://acme.webhook.off" + "ice.com/webhookb2/11111111-2222@33333333/IncomingWebhook/4444/5555",
    "vendor-token": "gh" + "p_abcdefghijklmnopqrstuvwxyzABCDEFGHIJ",
    "password-in-url": "postgres://user:pass" + "word@db.example/roll",
    "assigned-secret": "client_sec" + 'ret = "a8Kd03kfLq93nZpQ72mX"',
    "address": "owner: jane.doe@bank" + ".com",
    "home-folder": "see /ho" + "me/jane/rollcall/README.md",
    "package-index": "--index-" + "url https://packages.bank.example/simple",
    "this-computer": "built in /srv/build/rollcall",
}


def tracked() -> Iterator[tuple[str, str]]:
    """Every text file that git knows, with its content."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    for name in sorted(filter(None, listed.stdout.decode().split("\0"))):
        file = ROOT / name
        content = file.read_bytes() if file.is_file() and not file.is_symlink() else b"\0"
        if b"\0" not in content[:8192]:
            yield name, content.decode("utf-8", errors="replace")


def reason_for(found: Finding) -> str | None:
    matching = (
        why for (kind, begin), why in DELIBERATE.items() if kind == found.kind and found.value.startswith(begin)
    )
    return next(matching, None)


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    here = {str(ROOT), str(ROOT.parent), str(Path.home())} - {"/", "/root"}
    return list(findings(tracked(), here=here))


def test_no_tracked_file_holds_a_secret_an_address_or_a_trace_of_a_computer(found: list[Finding]) -> None:
    assert [str(each) for each in found if reason_for(each) is None] == []


def test_everything_that_is_let_pass_is_still_there(found: list[Finding]) -> None:
    used = {reason_for(each) for each in found}
    assert set(DELIBERATE.values()) - used == set()


@pytest.mark.parametrize("kind", SAMPLES)
def test_each_kind_is_found_with_its_line(kind: str) -> None:
    text = f"first line\nsecond {SAMPLES[kind]}\nthird"
    told = [each for each in findings([("file.txt", text)], here=["/srv/build"]) if each.kind == kind]
    assert [(each.place, each.line) for each in told] == [("file.txt", 2)]


def test_what_is_told_of_a_finding_is_not_the_secret() -> None:
    [told] = findings([("file.txt", SAMPLES["google-api-key"])])
    assert told.value in SAMPLES["google-api-key"]
    assert told.value not in str(told)


def test_neither_examples_nor_service_accounts_are_anybody_s_address_in_a_file() -> None:
    words = "a@example.com b@sub.example.org c@project.iam.gserviceaccount.com d@bank.example e@1.2.3.4 f@host g"
    text = "\n".join([words, "@pytest.fixture"])
    assert list(findings([("file.txt", text)])) == []


def test_in_a_log_the_addresses_of_examples_are_found_too() -> None:
    text = "a@example.com c@project.iam.gserviceaccount.com"
    assert [each.value for each in findings([("log", text)], domains=MACHINES)] == ["a@example.com"]
