"""Runs a Python module that ends when standard input ends: `python guarded.py MODULE [ARGUMENT …]`.

A script of its own, importing nothing of ours, so that the child sees only its working folder and the
installed packages, as it would in the cloud.
"""

from __future__ import annotations

import os
import runpy
import sys
import threading


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.path[0] = str(os.getcwd())  # noqa: PTH109 - nothing imported that is not needed
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
