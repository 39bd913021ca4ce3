"""Text from outside, made fit for people's eyes."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What is not seen, or turns round what is: control characters, marks of direction, fillers, halves of letters.

What joins or dresses an emoji (U+200C, U+200D, U+FE0E, U+FE0F) is left.
Source: Unicode 16, DerivedCoreProperties.txt, `Default_Ignorable_Code_Point`.
"""


def shown(text: str) -> str:
    """Text from outside as people may see it: what would be hidden is written as its escape."""
    return _HIDDEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)
