"""What the pipelines' commands say, to a person and to Cloud Logging."""

import json
import os
import subprocess
import sys
from pathlib import Path

COMMAND = """
import logging
import sys
from pipelines.command import report, run_command
from pipelines.failure import Failure

def command() -> None:
    report("Reading 2 files")
    logging.getLogger("apache_beam").warning("a file is damaged")
    raise {error}

sys.exit(run_command(command))
"""
NAMES = ("LOG_FORMAT", "K_SERVICE", "CLOUD_RUN_JOB")


def run(error: str, **environment: str) -> tuple[int, list[str]]:
    """The exit code, and the lines on stderr, of a command that fails with this error."""
    bare = {name: value for name, value in os.environ.items() if name not in NAMES}
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND.format(error=error)],
        env=bare | environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not ended.stdout
    return ended.returncode, ended.stderr.splitlines()


def test_a_person_reads_lines() -> None:
    assert run("Failure('the disk is full')") == (
        1,
        ["Reading 2 files", "WARNING apache_beam: a file is damaged", "error: the disk is full"],
    )


def test_cloud_logging_reads_json_with_a_severity() -> None:
    code, said = run("Failure('the disk is full')", CLOUD_RUN_JOB="rebuild")
    lines = [json.loads(line) for line in said]
    assert code == 1
    assert [(line["severity"], line["message"]) for line in lines] == [
        ("INFO", "Reading 2 files"),
        ("WARNING", "a file is damaged"),
        ("ERROR", "the disk is full"),
    ]
    assert all(line["time"] and line["logger"] for line in lines)


def test_an_interrupted_command_says_so_to_cloud_logging_too() -> None:
    code, said = run("KeyboardInterrupt", CLOUD_RUN_JOB="rebuild")
    assert (code, json.loads(said[-1])["severity"]) == (130, "WARNING")
