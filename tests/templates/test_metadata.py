"""The templates' parameters, the commands' options and the README's table say the same.

A template's patterns turn away what the launcher would: before a machine is started for it.
"""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest
from google.cloud.dataflow_v1beta3 import TemplateMetadata
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.options import rebuild_parser, stream_parser

ROOT = Path(__file__).parents[2]
PARSERS = {"stream": stream_parser(), "rebuild": rebuild_parser()}
EACH = [
    (template, parameter)
    for template in PARSERS
    for parameter in json.loads((ROOT / f"templates/{template}_metadata.json").read_text())["parameters"]
]
each = pytest.mark.parametrize(
    ("template", "parameter"), EACH, ids=[f"{template}-{parameter['name']}" for template, parameter in EACH]
)


def metadata(template: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / f"templates/{template}_metadata.json").read_text())
    return content


def options(template: str) -> dict[str, argparse.Action]:
    """The options that a job on Dataflow has, by name."""
    return {action.dest: action for action in PARSERS[template]._actions if action.dest != "help"}


def takes(action: argparse.Action, value: str) -> bool:
    """Whether the command takes this value of an option."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--it", type=action.type, choices=action.choices)  # type: ignore[arg-type]
    try:
        parser.parse_args([f"--it={value}"])
    except (argparse.ArgumentError, SystemExit):
        return False
    return True


def matches(parameter: dict[str, Any], value: str) -> bool:
    return all(re.fullmatch(pattern, value) for pattern in parameter["regexes"])


@pytest.mark.parametrize("template", PARSERS)
def test_the_files_are_what_dataflow_reads(template: str) -> None:
    read = ParseDict(metadata(template), TemplateMetadata.pb()(), ignore_unknown_fields=False)
    assert read.streaming == (template == "stream")
    assert read.description == PARSERS[template].description


@pytest.mark.parametrize("template", PARSERS)
def test_every_option_is_a_parameter(template: str) -> None:
    assert [parameter["name"] for parameter in metadata(template)["parameters"]] == list(options(template))


@each
def test_a_parameter_is_its_option(template: str, parameter: dict[str, Any]) -> None:
    action = options(template)[parameter["name"]]
    assert parameter["isOptional"] != action.required
    told = re.sub(r" \(default: .*\)$", "", str(action.help))
    told = re.sub(r"\. STORAGE_WRITE_API: .*$", "", told)  # It needs Java, and the image has none.
    assert parameter["helpText"] == f"{told[0].upper()}{told[1:]}."
    assert parameter["label"]
    assert "\n" not in parameter["helpText"]


@each
def test_a_parameter_has_its_options_default(template: str, parameter: dict[str, Any]) -> None:
    action = options(template)[parameter["name"]]
    default = parameter.get("defaultValue")
    assert (default is None) == (action.default is None)
    if default is not None:
        assert matches(parameter, default)
        assert f"(default: {default})" in str(action.help)
        convert: Callable[[str], Any] = action.type or str  # type: ignore[assignment]
        wanted = convert(action.default) if isinstance(action.default, str) else action.default
        assert convert(default) == wanted


# What each pattern is tried with.
TAKEN = {
    "subscription": [
        "projects/my-project/subscriptions/plays-stream",
        "projects/example.com:my-app/subscriptions/a.B~1",
    ],
    "archive": ["gs://my-bucket/archive", "gs://my.bucket_1", "gs://b1/a b/ö"],
    "warehouse": ["bigquery://my-project.heavy_rotation", "bigquery://my-app-123.d1"],
    "time_zone": sorted(available_timezones() - {"localtime"}),
    "refresh_seconds": ["1", "60", "86400"],
    "allowed_lateness_days": ["0", "0.5", "35", "35.25", "9999", "10000", "36499.9", "36500"],
    "archive_batch_plays": ["1", "10000"],
    "archive_batch_seconds": ["1", "30"],
    "bigquery_write_method": ["STREAMING_INSERTS", "FILE_LOADS"],
    "months": ["all", "changed", "late", "2026-11", "1970-01,2099-12", "2026-10,2026-11"],
}
REFUSED = {
    "subscription": ["", "plays", "projects/my-project/topics/plays"],
    "time_zone": ["", "Mars/Olympus Mons", "../etc/passwd", "/Europe/Paris"],
    "refresh_seconds": ["", "0", "-1", "1.5", "a minute"],
    "allowed_lateness_days": ["", "-1", "36500.5", "36501", "40000", "100000", "nan", "inf"],
    "archive_batch_plays": ["", "0", "-1", "2.5"],
    "archive_batch_seconds": ["", "0", "-1", "2.5"],
    "bigquery_write_method": ["", "streaming_inserts", "LOADS"],
    "months": ["", "later", "late,2026-11", "2026-13", "2026-1", "1969-12", "2101-01", "2026-10;2026-11", "2026-10,"],
}
# What the commands take elsewhere. A job can reach what is in the cloud only, and its launcher has no Java.
ELSEWHERE = {
    "subscription": ["projects/p/subscriptions/s"],  # as the emulator takes them
    "archive": ["archive", "/data/archive", "gs://", "gs://Bucket/x", "s3://bucket/archive"],
    "warehouse": ["warehouse", "bigquery://my-project", "bigquery://my-project.d.t", "my-project.heavy_rotation"],
    "bigquery_write_method": ["STORAGE_WRITE_API"],
}


@each
def test_the_pattern_takes_what_the_command_takes(template: str, parameter: dict[str, Any]) -> None:
    action = options(template)[parameter["name"]]
    for value in TAKEN[parameter["name"]]:
        assert takes(action, value), value
        assert matches(parameter, value), value


@each
def test_the_pattern_refuses_what_the_command_refuses(template: str, parameter: dict[str, Any]) -> None:
    action = options(template)[parameter["name"]]
    for value in REFUSED.get(parameter["name"], []):
        assert not takes(action, value), value
        assert not matches(parameter, value), value
    for value in ELSEWHERE.get(parameter["name"], []):
        assert not matches(parameter, value), value


# Which time zones there are, no pattern can say.
@pytest.mark.parametrize(("template", "parameter"), [one for one in EACH if one[1]["name"] != "time_zone"])
def test_whatever_the_pattern_takes_the_command_takes(template: str, parameter: dict[str, Any]) -> None:
    action = options(template)[parameter["name"]]

    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(st.from_regex(re.compile(parameter["regexes"][0]), fullmatch=True))
    def holds(value: str) -> None:
        assert takes(action, value)

    holds()


def test_the_readme_has_the_same_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `--([\w-]+)` \| (\w+) \| (.+) \| (.*)\|$", readme, re.MULTILINE)
    told = {name.replace("-", "_"): (of, default.strip()) for name, of, _, default in rows}
    there = {}
    for name in [name for template in PARSERS for name in options(template)]:
        of = [template for template in PARSERS if name in options(template)]
        default = re.search(r"\(default: (.*)\)$", str(options(of[0])[name].help))
        there[name] = ("both" if len(of) == 2 else of[0], default[1] if default else "")
    # The table has a word for a default that is told in a sentence.
    assert told == there | {"months": ("rebuild", "all")}
