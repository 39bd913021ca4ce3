"""The host's log: one JSON object a line on standard output."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType

from sandbox.functions_host.invocation import current_invocation

DEFECT = 70  # EX_SOFTWARE of sysexits.h
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Time, level, logger, message, the running invocation, and every field given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        document |= current_invocation.get({})
        document |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str)


def configure_logging() -> None:
    """Sends every logger to standard output; the Azure SDK's request lines stay out."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("azure.core", "azure.identity", "apscheduler", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    sys.excepthook = _report
    threading.excepthook = lambda fault: _end(fault.exc_type, fault.exc_value, fault.exc_traceback)


def _report(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    reason = (kind, error or kind(), traceback)
    logging.getLogger("functions_host").critical("host failed", exc_info=reason)


def _end(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    """A listener that died is a defect of the host: it ends rather than serve half of the app."""
    _report(kind, error, traceback)
    sys.stdout.flush()
    os._exit(DEFECT)
