"""What the commands understand, and how they refuse what they don't."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from pipelines import rebuild, stream
from pipelines.domain.month import Calendar
from pipelines.options import parse_rebuild, parse_stream
from pipelines.rebuilding.settings import RebuildOptions
from pipelines.streaming.settings import StreamOptions

PLACES = ["--archive=archive", "--warehouse=warehouse"]
IN_THE_CLOUD = [
    "--archive=gs://bucket/archive",
    "--warehouse=bigquery://a-project.music",
    "--temp_location=gs://bucket/temp",
]
SUBSCRIPTION = "--subscription=projects/a-project/subscriptions/plays"


def runner(options: PipelineOptions) -> str:
    return str(options.view_as(StandardOptions).runner)


def test_the_defaults() -> None:
    options, beam = parse_rebuild(PLACES)
    assert options == RebuildOptions(
        "archive", "warehouse", Calendar("Europe/Paris"), "all", lateness=timedelta(days=35)
    )
    assert runner(beam) == "FnApiRunner"
    streamed, beam = parse_stream([SUBSCRIPTION, *PLACES])
    assert streamed == StreamOptions(
        subscription="projects/a-project/subscriptions/plays",
        archive="archive",
        warehouse="warehouse",
        calendar=Calendar("Europe/Paris"),
        refresh_seconds=60,
        lateness=timedelta(days=35),
        archive_batch_plays=10_000,
        archive_batch_seconds=30,
        bigquery_write_method="STREAMING_INSERTS",
    )
    assert runner(beam) == "BundleBasedDirectRunner"
    assert beam.view_as(StandardOptions).streaming


def test_every_option_is_taken() -> None:
    options, _ = parse_rebuild([*PLACES, "--months=2026-11,2026-10, 2026-11", "--time-zone=Asia/Kolkata"])
    assert options.months == (date(2026, 10, 1), date(2026, 11, 1))
    assert options.calendar == Calendar("Asia/Kolkata")
    for selection in ("late", "changed"):
        selected, _ = parse_rebuild([*PLACES, f"--months={selection}", "--allowed-lateness-days", "10"])
        assert (selected.months, selected.lateness) == (selection, timedelta(days=10))
    some = [
        "--refresh_seconds=5",
        "--allowed_lateness_days=0.5",
        "--archive_batch_plays=2",
        "--archive_batch_seconds=3",
    ]
    streamed, _ = parse_stream([SUBSCRIPTION, *PLACES, *some])
    assert (streamed.refresh_seconds, streamed.lateness) == (5, timedelta(hours=12))
    assert (streamed.archive_batch_plays, streamed.archive_batch_seconds) == (2, 3)


def test_hyphens_and_underscores_are_alike() -> None:
    with_hyphens = [SUBSCRIPTION, *PLACES, "--time-zone", "UTC", "--refresh-seconds=5", "--archive-batch-plays=2"]
    with_underscores = [word.replace("-", "_").replace("__", "--", 1) for word in with_hyphens[3:]]
    assert parse_stream(with_hyphens)[0] == parse_stream([*with_hyphens[:3], *with_underscores])[0]


@pytest.mark.parametrize("name", ["DirectRunner", "directrunner", "direct", "Direct"])
def test_the_direct_runner_is_asked_for_by_the_name_that_needs_no_network(name: str) -> None:
    assert runner(parse_rebuild([*PLACES, f"--runner={name}"])[1]) == "FnApiRunner"
    assert runner(parse_stream([SUBSCRIPTION, *PLACES, "--runner", name])[1]) == "BundleBasedDirectRunner"


@pytest.mark.parametrize(
    "name", ["DataflowRunner", "dataflow", "apache_beam.runners.portability.fn_api_runner.FnApiRunner"]
)
def test_other_runners_and_beams_options_go_to_beam(name: str) -> None:
    beam = parse_rebuild([*IN_THE_CLOUD, f"--runner={name}", "--project=a-project", "--num_workers=3"])[1]
    assert runner(beam) == name
    assert beam.get_all_options(drop_default=True)["num_workers"] == 3


@pytest.mark.parametrize(
    ("main", "options"),
    [
        (rebuild.main, {"--archive", "--warehouse", "--time-zone", "--months", "--allowed-lateness-days", "--help"}),
        (
            stream.main,
            {
                "--subscription",
                "--archive",
                "--warehouse",
                "--time-zone",
                "--refresh-seconds",
                "--allowed-lateness-days",
                "--archive-batch-plays",
                "--archive-batch-seconds",
                "--bigquery-write-method",
                "--help",
            },
        ),
    ],
)
def test_help_has_every_option_with_a_text(
    main: Callable[[list[str]], int], options: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    described = re.findall(r"^  (?:-h, )?(--[\w-]+).*\n? +\w+", capsys.readouterr().out, re.MULTILINE)
    assert set(described) == options


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--mnoths=2026-11", "there is no option --mnoths; did you mean --months? It takes --help, --archive, "),
        ("--month=2026-11", "there is no option --month; did you mean --months?"),  # no abbreviations
        ("archive", "'archive' is one argument too many"),
        ("--months=2026-13", "'2026-13' is not a month; write it as 2026-11"),
        ("--months=", "'' is not a month"),
        ("--months=November", "'November' is not a month"),
        ("--months=late,2026-11", "'late' is not a month"),
        ("--warehouse=gs://bucket", "'gs://bucket' is neither a folder nor bigquery://project.dataset"),
        ("--warehouse=bigquery://project", "'bigquery://project' is neither a folder nor bigquery://project.dataset"),
        ("--runner=DataflowRunner", "on Dataflow the archive has to be in a bucket: --archive=gs://BUCKET/FOLDER"),
        ("--time_zone=Europe/Nowhere", "'Europe/Nowhere' is not a time zone"),
        ("--runner=NoRunner", "unknown runner NoRunner; there are DataflowRunner, "),
        ("--runner=no.such.Runner", "the runner no.such.Runner cannot be loaded: No module named 'no'"),
        ("--runner=pathlib.Path", "pathlib.Path is none of Beam's runners; there are DataflowRunner, "),
        (
            "--runner=FlinkRunner --flink_master=host:8081",
            "in containers (without --environment_type=LOOPBACK) the",
        ),
        ("--runner=spark --environment_type=DOCKER", "the archive has to be in a bucket: --archive=gs://BUCKET/FOLDER"),
        ("--num_workers=many", "argument --num_workers: invalid int value: 'many'"),
    ],
)
def test_what_the_rebuild_does_not_understand_ends_it_with_2(
    argument: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        rebuild.main([*PLACES, *argument.split()])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--refresh_secs=60", "there is no option --refresh_secs; did you mean --refresh-seconds?"),
        ("--subscription=plays", "'plays' is not projects/PROJECT/subscriptions/SUBSCRIPTION"),
        ("--subscription=projects/p/subscriptions/a/b", "is not projects/PROJECT/subscriptions/SUBSCRIPTION"),
        ("--refresh_seconds=0", "'0' is not a whole number from 1 on"),
        ("--archive_batch_plays=1.5", "'1.5' is not a whole number from 1 on"),
        ("--archive_batch_seconds=soon", "'soon' is not a whole number from 1 on"),
        ("--allowed_lateness_days=-1", "'-1' is not a number of days from 0 to 36500"),
        ("--allowed_lateness_days=inf", "'inf' is not a number of days"),
        ("--allowed_lateness_days=nan", "'nan' is not a number of days"),
        ("--allowed_lateness_days=month", "'month' is not a number of days"),
        ("--bigquery_write_method=SLOWLY", "invalid choice: 'SLOWLY'"),
        ("--bigquery_write_method=FILE_LOADS", "FILE_LOADS is for --warehouse=bigquery://PROJECT.DATASET"),
    ],
)
def test_what_the_stream_does_not_understand_ends_it_with_2(
    argument: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        stream.main([SUBSCRIPTION, *PLACES, argument])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_the_options_of_a_runner_are_known_once_it_is_named() -> None:
    pytest.importorskip("distributed")
    address = "--dask_client_address=tcp://127.0.0.1:8786"
    for name in ("DaskRunner", "dask"):
        _, beam_options = parse_rebuild([*PLACES, f"--runner={name}", address])
        assert beam_options.get_all_options()["address"] == "tcp://127.0.0.1:8786"


@pytest.mark.parametrize(
    "engine",
    ["--runner=FlinkRunner", "--runner=spark", "--runner=PrismRunner", "--runner=flink --environment_type=LOOPBACK"],
)
def test_workers_of_this_machine_take_its_folders_wherever_they_run(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options, _ = parse_rebuild(["--archive=archive", "--warehouse=tables", *engine.split()])
    assert (options.archive, options.warehouse) == (str(tmp_path / "archive"), str(tmp_path / "tables"))


@pytest.mark.parametrize("missing", ["--archive", "--warehouse"])
def test_an_option_that_is_missing_is_named(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        rebuild.main([place for place in PLACES if not place.startswith(missing)])
    assert ended.value.code == 2
    assert f"the following arguments are required: {missing}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--bigquery_write_method=STORAGE_WRITE_API"],
            "the local runner cannot write by STORAGE_WRITE_API; it can by STREAMING_INSERTS",
        ),
        (["--bigquery_write_method=FILE_LOADS"], "the local runner cannot write by FILE_LOADS; it can by"),
        (["--runner=DataflowRunner", "--bigquery_write_method=FILE_LOADS"], "FILE_LOADS needs --temp_location=gs://"),
        (["--runner=DataflowRunner", "--warehouse=folder"], "on Dataflow the warehouse has to be in BigQuery"),
    ],
)
def test_what_makes_no_sense_together(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_stream([SUBSCRIPTION, *IN_THE_CLOUD[:2], *arguments])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("name", ["projects/demo/subscriptions/s", "projects/Local_1/subscriptions/plays"])
def test_a_subscription_of_the_emulator_is_taken_here_and_not_on_dataflow(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options, _ = parse_stream([f"--subscription={name}", *PLACES])
    assert options.subscription == name
    with pytest.raises(SystemExit):
        parse_stream([f"--subscription={name}", *IN_THE_CLOUD, "--runner=DataflowRunner"])
    assert f"--subscription={name}: Invalid PubSub project name" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["STREAMING_INSERTS", "FILE_LOADS", "STORAGE_WRITE_API"])
def test_every_write_method_has_a_place(method: str) -> None:
    options, _ = parse_stream(
        [SUBSCRIPTION, *IN_THE_CLOUD, "--runner=DataflowRunner", f"--bigquery_write_method={method}"]
    )
    assert options.bigquery_write_method == method


@pytest.mark.parametrize("warehouse", ["all", "./all", "all/../all"])
def test_archive_and_tables_are_not_in_one_folder(warehouse: str, capsys: pytest.CaptureFixture[str]) -> None:
    places = ["--archive=all", f"--warehouse={warehouse}"]
    for parse, arguments in ((parse_rebuild, places), (parse_stream, [SUBSCRIPTION, *places])):
        with pytest.raises(SystemExit, match="2"):
            parse(arguments)
        assert (
            "--archive and --warehouse are both all: the tables need a folder of their own" in capsys.readouterr().err
        )


def test_a_rebuild_on_dataflow_needs_a_place_for_files(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_rebuild([*IN_THE_CLOUD[:2], "--runner=DataflowRunner"])
    assert "a rebuild on Dataflow needs --temp_location=gs://BUCKET/FOLDER" in capsys.readouterr().err
