"""Values that documents have nowhere, and that code may trip over wherever one stands."""

from __future__ import annotations

PERSON = "jane.doe@bank.example"
"""No log line and no parked reason may have it."""
TOKEN = ".".join(("eyJhbGciOiJSUzI1NiJ9", "eyJzdWIiOiJtYXJrZXIifQ", "bWFya2Vy"))
"""Neither this: it looks like somebody's token."""


class Raw(str):
    """JSON as it is written, which `json.dumps` would never write."""

    __slots__ = ()


NUMBERS: tuple[object, ...] = (
    *(0, -1, 1, 2, 255, 256, 4096, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**18, 10**30, -(10**30)),
    *(0.5, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *(Raw("1e400"), Raw("-1E+99999"), Raw("1" * 5000), Raw("-0"), Raw("01"), Raw("0x10"), Raw("1."), Raw("1e-400")),
)
TEXTS: tuple[str, ...] = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\n",
        "\r\n",
        "\t",
        "%s%n",
        "{0}",
        "${x}",
        "{{x}}",
        "../../etc/passwd",
        "//",
        ":",
        "=",
        "null",
    ),
    *(
        "\ud800",
        "\udfff\ud800",
        "a\ud83d",
        "\u202eabc\u202c",
        "\u2028",
        "\ufeff",
        "\ufffe",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "ı",
        "\u0661\u0662",
    ),
    *(
        "²",
        "①",
        "😀",
        "\u200b",
        "0" * 12,
        "012345678901",
        "999999999999",
        "-1",
        "1e3",
        "NaN",
        "true",
        "[]",
        "{}",
        "<a/>",
    ),
    *("2026-02-30T25:61:61Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+23:59", "-0001-01-01T00:00:00Z"),
    *("2026-01-01", "2026-01-01T00:00:00", "1970-01-01T00:00:00-23:59", "P1D", "0", "99999999999999999999"),
    *("a" * 300, "9" * 5000, "x" * 100_000, "ü" * 50_000, "/".join("a" * 1000), "a." * 2000, "(" * 500, "a" * 49 + "!"),
    *(PERSON, f"Admin/{PERSON}", f"arn:aws:sts::111122223333:assumed-role/Admin/{PERSON}", f"Bearer {TOKEN}", TOKEN),
    *(
        "arn:aws:iam::012345678901:role/x",
        "/subscriptions/x/resourceGroups/y",
        "projects/1",
        "projects/",
        "https://[::1",
        "http://",
    ),
    *("SUCCEEDED", "FAILED", "DELETE", "ACTIVE", "*", "None", "__class__", "constructor", "Fn::If", "Ref", "!Ref x"),
)
VALUES: tuple[object, ...] = (
    *(None, True, False, [], {}, [[]], [None], {"": None}, {"a": {"b": {"c": []}}}, [1, "a", None, {}]),
    *(["x"] * 3000, {str(number): number for number in range(2000)}, [{}] * 500, {"Ref": "AWS::NoValue"}),
    *(Raw("[" * 100 + "]" * 100), Raw("[" * 5000 + "]" * 5000), Raw('{"a":' * 5000 + "1" + "}" * 5000)),
    *(Raw('{"a":' * 60 + "1" + "}" * 60), Raw('"\\ud800"'), Raw('"\\u0000"'), Raw("'x'"), Raw("undefined"), Raw("")),
)
KEYS: tuple[str, ...] = (
    "",
    " ",
    "__proto__",
    "a" * 300,
    "\ud800",
    "\0",
    "schema",
    "error",
    "value",
    "id",
    PERSON,
    "é",
    "0",
)
CHUNKS: tuple[bytes, ...] = (
    *(b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x80" * 40),
    *(
        b'"',
        b"\\",
        b"\\u",
        b'\\ud800"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"<",
        b">",
        b"&",
        b"&#x0;",
        b"]]>",
        b"<!--",
    ),
    *(b"\n", b"\r", b"\t", b" " * 5000, b"#", b"//", b"/*", b"---\n", b"...\n", b"- ", b"? ", b"%YAML 1.1\n---\n"),
    *(
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!python/object/apply:os.system ",
        b"!!binary ",
        b"!!set ",
        b"!Ref ",
        b"!Sub ",
        b"!x ",
        b"|\n",
    ),
    *(b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", b"[" * 3000, b"{a: " * 3000, b"- " * 3000, b"key: 1\nkey: 2\n"),
    *(
        b"0x1F",
        b"0o17",
        b"1_000",
        b"12:30:45",
        b".inf",
        b".nan",
        b"1e999",
        b"9" * 6000,
        b"9" * 400 + b".5",
        b"yes",
        b"~",
    ),
    *(
        b'<!DOCTYPE a [<!ENTITY b "c">]>',
        b"<a>&b;</a>",
        b"<html><body>Sign in</body></html>",
        b"null",
        b"Infinity",
        b"-",
    ),
    *(
        PERSON.encode(),
        TOKEN.encode(),
        "²".encode(),
        b"\xe2\x80\xae",
        b"%",
        b"+",
        b"=",
        b".",
        b"..",
        b"==",
        b"\x1f\x8b\x08",
    ),
)
