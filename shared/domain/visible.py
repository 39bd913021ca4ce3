"""Text from outside, made fit for people's eyes."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What is not seen, or turns round what is: control characters, marks of direction, halves of letters.

What joins an emoji of several is left.
"""


def shown(text: str) -> str:
    """Text from outside as people may see it: what would be hidden is written as its escape."""
    return _HIDDEN.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)
