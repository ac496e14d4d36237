"""What commands say while they run: lines for a person, or JSON lines for Google Cloud Logging.

The producer's metrics are fields of the line that tells of a poll, one line for each poll of an account, so that a
log-based metric needs no more than their names. ``docs/producer.md`` lists them.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from pipelines.domain.instants import rfc3339, to_millisecond
from pipelines.terminal import pasteable, printable

# Cloud Run sets one of them, for a service or for a job.
_GOOGLE_CLOUD = ("K_SERVICE", "CLOUD_RUN_JOB")


def is_json_wanted(environment: Mapping[str, str]) -> bool:
    """Whether Cloud Logging reads stderr: on Cloud Run, and where LOG_FORMAT is ``json`` and stderr is no terminal."""
    return any(environment.get(name) for name in _GOOGLE_CLOUD) or (
        environment.get("LOG_FORMAT", "").lower() == "json" and not sys.stderr.isatty()
    )


def json_line(level: int, message: str, logger: str) -> str:
    """One line for Cloud Logging, without its end; ``level`` is one of ``logging``'s, and becomes the severity."""
    return JsonLines().format(logging.LogRecord(logger, level, "", 0, message, None, None))


def set_up_logging(environment: Mapping[str, str], *, is_service: bool = False) -> None:
    """Send the producer's log to where its reader is; a service's text says when, in local time.

    JSON lines on stderr where they are wanted. Otherwise text: what is fine on stdout, what is not on stderr.
    """
    if is_json_wanted(environment):
        handlers: list[logging.Handler] = [_handler(sys.stderr, JsonLines())]
    else:
        formatter = _Text(is_timed=is_service)
        fine, trouble = _handler(sys.stdout, formatter), _handler(sys.stderr, formatter)
        fine.addFilter(lambda record: record.levelno < logging.WARNING)
        trouble.setLevel(logging.WARNING)
        handlers = [fine, trouble]
    logger = logging.getLogger("producer")
    logger.handlers = handlers
    logger.setLevel(logging.INFO)
    logger.propagate = False
    # Google's libraries log what they also raise, with a stack trace; urllib3 that a pool of its was too small.
    for library in ("google", "urllib3"):
        logging.getLogger(library).handlers = [logging.NullHandler()]


class JsonLines(logging.Formatter):
    """A line of JSON with the fields that Cloud Logging knows.

    ``extra={"labels": {...}, "fields": {...}}`` adds labels, and fields beside the message. Of an exception it
    shows the type and the places in the code, and not its text, which may quote what it failed on.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line, without its end."""
        entry: dict[str, Any] = {
            "severity": record.levelname,
            "message": _message(record),
            "time": rfc3339(to_millisecond(datetime.fromtimestamp(record.created, UTC))),
            "logger": record.name,
        }
        if labels := getattr(record, "labels", None):
            entry["logging.googleapis.com/labels"] = labels
        return orjson.dumps(entry | getattr(record, "fields", {})).decode()


class _Text(logging.Formatter):
    """As the commands have always told: a warning in capitals, an error after ``error:``."""

    def __init__(self, *, is_timed: bool) -> None:
        super().__init__()
        self._is_timed = is_timed

    def format(self, record: logging.LogRecord) -> str:
        """One line, or more of them for an exception."""
        text = _message(record)
        if record.levelno >= logging.ERROR:
            text = f"error: {text}"
        elif record.levelno >= logging.WARNING:
            text = f"WARNING: {text}"
        text = f"{self.formatTime(record, '%Y-%m-%d %H:%M:%S')} {text}" if self._is_timed else text
        return printable(pasteable(text))


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info and record.exc_info[0]:
        kind, _, trace = record.exc_info
        message += f" ({kind.__name__})\n" + "".join(traceback.format_tb(trace)).rstrip()
    return message


def _handler(stream: TextIO, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    return handler
