"""How large a policy may be: apart from its parser, which only those import who read one."""

from __future__ import annotations

MOST_BYTES = 512 * 1024
