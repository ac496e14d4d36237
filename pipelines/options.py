"""The commands' options, each with its help, its default and its check, in one place.

What is not an option here is Beam's (``--runner``, ``--project``, ``--region`` ...), and what is neither is an
error: a misspelt option must not be a silently ignored one. An option's underscored name is that of the templates'
parameter, and all but two are those of the field that it becomes.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.arguments import Parser, calendar, whole_number
from pipelines.checks import check_apart, check_reachable, check_subscription, check_write_method
from pipelines.domain.month import DEFAULT_TIME_ZONE, parse_month
from pipelines.home import VARIABLE, home_of
from pipelines.rebuilding.settings import LATENESS, SELECTIONS, RebuildOptions, Selection
from pipelines.runners import (
    LOCAL_BATCH_RUNNER,
    LOCAL_STREAM_RUNNER,
    RunnerError,
    is_local,
    load,
)
from pipelines.streaming.settings import WRITE_METHODS, StreamOptions
from pipelines.warehouse.identity import warehouse_argument

_MOST_DAYS = 36_500
_HOME = f"Without --archive and --warehouse: those at home, the folder that --home or {VARIABLE} names."
SHOW_GRAPH = "--show-graph"


def stream_parser() -> Parser:
    """What the stream takes beside Beam's options: the source for its template, and for who lists them."""
    parser = Parser(
        "heavy-rotation stream",
        "--subscription S --archive A --warehouse W [OPTIONS] [BEAM'S OPTIONS]",
        "Plays and snapshots from Pub/Sub into the raw Avro archive, tables and monthly top tens, until it is stopped.",
        "Here: heavy-rotation stream --subscription projects/P/subscriptions/S --archive archive "
        "--warehouse warehouse\nOn Dataflow: the same with --runner=DataflowRunner and Beam's options for it.\n"
        f"{_HOME}\nIts steps, as text or as a picture: heavy-rotation stream {SHOW_GRAPH}, {SHOW_GRAPH}=FILE.svg",
    )
    parser.add_argument(
        "--subscription",
        required=True,
        type=_subscription,
        metavar="projects/P/subscriptions/S",
        help="the Pub/Sub subscription to read; one job reads it at a time",
    )
    _add_places(parser)
    parser.add_argument(
        "--refresh-seconds",
        type=whole_number(1),
        default=60,
        help="how long after a new play the top tens of its month are computed again (default: 60)",
    )
    _add_lateness(
        parser,
        "how long after its end a month still takes plays; later ones are stored, and the next "
        "rebuild counts them (default: 35)",
    )
    parser.add_argument(
        "--archive-batch-plays",
        type=whole_number(1),
        default=10_000,
        help="write a file to the archive for that many plays of a month (default: 10000)",
    )
    parser.add_argument(
        "--archive-batch-seconds",
        type=whole_number(1),
        default=30,
        help="or that long after the first of them; tables follow the archive (default: 30)",
    )
    parser.add_argument(
        "--bigquery-write-method",
        choices=WRITE_METHODS,
        default=WRITE_METHODS[0],
        help="how rows come into BigQuery. STREAMING_INSERTS: within seconds. FILE_LOADS: by load jobs, which are "
        "free, every five minutes; needs --temp_location=gs://...; a load takes all its rows or none, and one that "
        "failed is not tried again: cancel the job and come back. STORAGE_WRITE_API: within seconds, for less; needs "
        "Java, and its libraries from the network, where the pipeline is launched. The local runner writes by "
        "STREAMING_INSERTS (default: STREAMING_INSERTS)",
    )
    return parser


def parse_stream(argv: Sequence[str] | None) -> tuple[StreamOptions, PipelineOptions]:
    """The stream's options and Beam's. Exits with 2 and a message when they make no sense."""
    parser = stream_parser()
    values, beam_options = _read(parser, argv, LOCAL_STREAM_RUNNER, streaming=True)
    options = StreamOptions(**values)
    check_subscription(parser, options, beam_options)
    check_write_method(parser, options, beam_options)
    check_reachable(parser, options, beam_options)
    check_apart(parser, options)
    return options, beam_options


def parse_show_graph(argv: Sequence[str]) -> Path | None:
    """The file that the stream's graph is to be written to, None for text. Exits with 2 where more is asked for.

    It needs none of the stream's options, and is none of those that a template has.
    """
    parser = Parser("heavy-rotation stream", f"{SHOW_GRAPH}[=FILE.svg]", "Shows the steps of the stream.")
    parser.add_argument(
        SHOW_GRAPH, dest="path", nargs="?", type=Path, metavar="FILE.svg", help="write a picture, instead of text"
    )
    path: Path | None = parser.read(argv).path
    if path and path.suffix != ".svg":
        parser.error(f"{path} does not end in .svg")
    return path


def rebuild_parser() -> Parser:
    """What the rebuild takes beside Beam's options."""
    parser = Parser(
        "heavy-rotation rebuild",
        "--archive A --warehouse W [OPTIONS] [BEAM'S OPTIONS]",
        "Makes the tables again from the raw Avro archive, replacing the months it rebuilds whole.",
        "Everything: heavy-rotation rebuild --archive archive --warehouse warehouse\n"
        "Two months: the same with --months 2026-10,2026-11\n"
        f"{_HOME}",
    )
    _add_places(parser)
    parser.add_argument(
        "--months",
        type=_months,
        default="all",
        metavar="YYYY-MM,YYYY-MM|all|changed|late",
        help="rebuild only these months; changed: those whose tables are not what the archive would make today, since "
        "files of them came or went, they have ended, or their tables are gone or were restored; late: of "
        "these, those that take no more plays from the stream (default: all)",
    )
    _add_lateness(
        parser, "how long after its end a month still takes plays from the stream, for --months=late (default: 35)"
    )
    return parser


def parse_rebuild(argv: Sequence[str] | None) -> tuple[RebuildOptions, PipelineOptions]:
    """The rebuild's options and Beam's. Exits with 2 and a message when they make no sense."""
    parser = rebuild_parser()
    values, beam_options = _read(parser, argv, LOCAL_BATCH_RUNNER, streaming=False)
    options = RebuildOptions(**values)
    check_reachable(parser, options, beam_options)
    check_apart(parser, options)
    return options, beam_options


def _add_places(parser: Parser) -> None:
    parser.add_argument(
        "--archive",
        required=True,
        metavar="FOLDER|gs://BUCKET/FOLDER",
        help="where the raw Avro archive is",
    )
    parser.add_argument(
        "--warehouse",
        required=True,
        type=warehouse_argument,
        metavar="FOLDER|bigquery://PROJECT.DATASET",
        help="where the tables are",
    )
    parser.add_argument(
        "--time-zone",
        type=calendar,
        default=DEFAULT_TIME_ZONE,
        help="the time zone that months are counted in (default: Europe/Paris)",
    )


def _add_lateness(parser: Parser, text: str) -> None:
    parser.add_argument("--allowed-lateness-days", type=_days, default=LATENESS, help=text)


def _read(
    parser: Parser, argv: Sequence[str] | None, local_runner: str, *, streaming: bool
) -> tuple[dict[str, Any], PipelineOptions]:
    """The fields of our options, and Beam's options."""
    argv = _at_home(sys.argv[1:] if argv is None else argv)
    runners = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    runners.add_argument("--runner")
    try:
        runner = load(runners.parse_known_args(argv)[0].runner, local_runner)
    except RunnerError as error:
        parser.error(str(error))
    beams = _beam_parser()
    names = re.findall(r"--[A-Za-z]\w*", beams.format_help())
    arguments, rest = parser.read_known(argv, others=names)
    try:
        _, unknown = beams.parse_known_args(rest)
    except argparse.ArgumentError as error:
        parser.error(str(error))
    if unknown:  # Beam would drop it with a line in the log.
        parser.error(f"{unknown[0]!r} is one argument too many")
    values = vars(arguments)
    values |= {"calendar": values.pop("time_zone"), "lateness": values.pop("allowed_lateness_days")}
    beam_options = PipelineOptions(rest, runner=runner, streaming=streaming)
    if not is_local(beam_options):  # a worker may be in another folder
        for name in ("archive", "warehouse"):
            if "://" not in values[name]:
                values[name] = str(Path(values[name]).absolute())
    return values, beam_options


def _at_home(argv: Sequence[str]) -> list[str]:
    """The command line with the places at home, where it names neither archive nor warehouse.

    ``--home`` is taken out: to the parsers both places are required, as they are of a job on Dataflow.
    """
    homes = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    homes.add_argument("--home")
    known, words = homes.parse_known_args(argv)
    names = {word.partition("=")[0] for word in words}
    if names & {"--archive", "--warehouse", "--help", "-h"}:
        return words
    home = home_of(known.home)
    return [*words, f"--archive={home.archive}", f"--warehouse={home.warehouse}"]


def _beam_parser() -> argparse.ArgumentParser:
    """A parser of all of Beam's options. Beam makes one to list them, and shows it to who wants to add some."""
    shown: list[argparse.ArgumentParser] = []
    PipelineOptions([]).get_all_options(add_extra_args_fn=shown.append)
    shown[0].exit_on_error = False
    return shown[0]


def _months(text: str) -> tuple[date, ...] | Selection:
    for selection in SELECTIONS:
        if text == selection:
            return selection
    try:
        return tuple(sorted({parse_month(month.strip()) for month in text.split(",")}))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _subscription(text: str) -> str:
    # Google's emulator takes names that Google Cloud does not: Pub/Sub itself is asked.
    if not re.fullmatch(r"projects/[^/\s]+/subscriptions/[^/\s]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not projects/PROJECT/subscriptions/SUBSCRIPTION")
    return text


def _days(text: str) -> timedelta:
    with suppress(ValueError):
        if 0 <= (days := float(text)) <= _MOST_DAYS:
            return timedelta(days=days)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 0 to {_MOST_DAYS}")
