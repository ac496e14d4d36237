"""What the options of a command have to have with each other, and with the runner that they name.

Each check ends the command with its sentence where that is not so.
"""

from pathlib import Path

from apache_beam.io.gcp.pubsub import parse_subscription
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from pipelines.arguments import Parser
from pipelines.rebuilding.settings import RebuildOptions
from pipelines.runners import LOCAL_STREAM_RUNNER, is_on_dataflow, runner_of, without_this_machines_folders
from pipelines.streaming.settings import WRITE_METHODS, StreamOptions
from pipelines.warehouse.bigquery import SCHEME


def check_apart(parser: Parser, options: StreamOptions | RebuildOptions) -> None:
    """The archive's files and the tables' are told apart by where they are."""
    if (
        "://" not in options.archive + options.warehouse
        and Path(options.archive).resolve() == Path(options.warehouse).resolve()
    ):
        parser.error(f"--archive and --warehouse are both {options.archive}: the tables need a folder of their own")


def check_subscription(parser: Parser, options: StreamOptions, beam_options: PipelineOptions) -> None:
    """The local runner asks Pub/Sub, or its emulator; on the others Beam has rules of its own for names."""
    if runner_of(beam_options) == LOCAL_STREAM_RUNNER:
        return
    try:
        parse_subscription(options.subscription)  # type: ignore[no-untyped-call]
    except ValueError as error:
        parser.error(f"--subscription={options.subscription}: {error}")


def check_write_method(parser: Parser, options: StreamOptions, beam_options: PipelineOptions) -> None:
    """Not every runner writes in every way, and not every warehouse is written so."""
    method, local = options.bigquery_write_method, runner_of(beam_options) == LOCAL_STREAM_RUNNER
    if method != WRITE_METHODS[0] and not options.warehouse.startswith(SCHEME):
        parser.error(f"--bigquery-write-method={method} is for --warehouse=bigquery://PROJECT.DATASET")
    if method != WRITE_METHODS[0] and local:
        parser.error(f"the local runner cannot write by {method}; it can by {WRITE_METHODS[0]}")
    if method == "FILE_LOADS":
        _require_bucket(parser, beam_options, "--bigquery-write-method=FILE_LOADS")


def check_reachable(parser: Parser, options: StreamOptions | RebuildOptions, beam_options: PipelineOptions) -> None:
    """Workers elsewhere see no folder of the machine that launches them."""
    where = without_this_machines_folders(beam_options)
    if where and not options.archive.startswith("gs://"):
        parser.error(f"{where} the archive has to be in a bucket: --archive=gs://BUCKET/FOLDER")
    if where and not options.warehouse.startswith(SCHEME):
        parser.error(f"{where} the warehouse has to be in BigQuery: --warehouse=bigquery://PROJECT.DATASET")
    if isinstance(options, RebuildOptions) and is_on_dataflow(beam_options):
        _require_bucket(parser, beam_options, "a rebuild on Dataflow")


def _require_bucket(parser: Parser, beam_options: PipelineOptions, what: str) -> None:
    if not str(beam_options.view_as(GoogleCloudOptions).temp_location or "").startswith("gs://"):
        parser.error(f"{what} needs --temp_location=gs://BUCKET/FOLDER, where files wait to be loaded")
