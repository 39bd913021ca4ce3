"""What a command loads before it knows what it is asked for: no SDK of any cloud, which together take a second."""

from __future__ import annotations

import subprocess
import sys

SDKS = (
    "azure.data",
    "azure.identity",
    "azure.mgmt.security",
    "azure.storage",
    "boto3",
    "botocore",
    "google.auth",
    "msal",
)
LOADED = "import sys, cli.main; print(*(name for name in sys.modules))"


def test_no_sdk_is_loaded_before_a_command_needs_it() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "cli.main" in loaded
    assert [name for name in loaded if name in SDKS] == []
