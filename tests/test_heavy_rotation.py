"""The console script: it finds the command, loads no more than that needs, and is quiet when it is interrupted."""

import os
import signal
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import heavy_rotation
from tests.producer.exports import extended, write_json
from tests.warehouse.listening import listening_in

ROOT = Path(__file__).parent.parent
HEAVY = (
    *("apache_beam", "cloudpickle", "duckdb", "fastavro", "google.auth", "numpy", "polars", "pyarrow", "requests"),
    "sqlglot",
)


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    """The script as a process; what it loaded of HEAVY is in the last line of its standard output."""
    code = (
        "import sys, heavy_rotation\n"
        "try:\n    code = heavy_rotation.main(sys.argv[1:])\n"
        "except SystemExit as ended:\n    code = ended.code\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])\n"
        "sys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_is_installed_as_a_command() -> None:
    (script,) = entry_points(group="console_scripts", name="heavy-rotation")
    assert script.value == "heavy_rotation:main"


def test_without_a_command_it_says_which_there_are() -> None:
    ended = run()
    assert ended.returncode == 2
    assert ended.stderr + "\n" == run("--help").stdout


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command_and_loads_nothing(option: str) -> None:
    ended = run(option)
    assert (ended.returncode, ended.stderr) == (0, "")
    *lines, loaded = ended.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(heavy_rotation.COMMANDS)
    assert loaded == ""


def test_version() -> None:
    assert run("--version").stdout == f"heavy-rotation {version('heavy-rotation')}\n\n"


@pytest.mark.parametrize("command", list(heavy_rotation.COMMANDS))
def test_every_command_is_there_and_says_its_name(command: str) -> None:
    ended = run(command, "--help")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(f"usage: heavy-rotation {command} ")


@pytest.mark.parametrize("command", ["import", "poll", "doctor", "logout", "top", "query", "forget"])
def test_a_command_line_is_read_before_anything_heavy_is_loaded(command: str) -> None:
    assert run(command, "--help").stdout.splitlines()[-1] == ""


def test_an_import_compares_and_writes_without_anything_heavy(tmp_path: Path) -> None:
    export = write_json(tmp_path / "endsong_0.json", [extended()])
    own = (
        "--archive",
        str(tmp_path / "archive"),
        "--state",
        str(tmp_path / "state"),
        "--logins",
        str(tmp_path / "logins"),
    )
    for known in "written             1 play in 1 file", "known               1 imported before":
        ended = run("import", str(export), *own)
        *lines, loaded = ended.stdout.splitlines()
        assert any(line.startswith(known) for line in lines), ended
        assert loaded == ""


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A listener's tables."""
    return listening_in(tmp_path_factory.mktemp("warehouse")).folder


@pytest.mark.parametrize(
    ("argv", "loaded"),
    [
        (["query", "SELECT COUNT(*) FROM heavy_rotation.plays WHERE month = '2026-10-01'"], "duckdb pyarrow"),
        (["query", "--dialect=duckdb", "SELECT 'anna'"], "duckdb pyarrow"),
        (["query", "SELECT 'anna'"], "duckdb pyarrow sqlglot"),
        (["top"], "duckdb pyarrow"),
    ],
    ids=["a query", "DuckDB's own SQL", "a query that may name somebody", "top"],
)
def test_who_asks_again_loads_what_answers_and_nothing_else(
    argv: list[str], loaded: str, warehouse: Path, tmp_path: Path
) -> None:
    code = (
        "import os, sys, heavy_rotation\n"
        "def tell():\n"
        f"    print('loaded', *[name for name in {HEAVY} if sys.modules.get(name)], file=sys.stderr, flush=True)\n"
        "ends = os._exit\n"
        "os._exit = lambda code: (tell(), ends(code))\n"  # of the process that a query has for itself
        "code = heavy_rotation.main()\n"
        "tell()\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", code, argv[0], f"--warehouse={warehouse}", *argv[1:]]
    known = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    for _ in range(2):
        ended = subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, timeout=60, check=True)
    told = [line for line in ended.stderr.splitlines() if line.startswith("loaded")]
    assert told[0] == f"loaded {loaded}"
    assert told[1:] in ([], ["loaded"])  # of the process that waits for a query


def test_what_is_loaded_for_a_command_is_no_garbage_to_look_through() -> None:
    code = (
        "import gc, heavy_rotation\n"
        "try:\n    heavy_rotation.main()\nexcept SystemExit:\n    pass\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    )
    command = [sys.executable, "-c", code, "query", "--help"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.splitlines()[-1] == "True True"


def test_who_leaves_before_a_top_is_told_sees_no_stack_trace(warehouse: Path) -> None:
    command = [sys.executable, "-m", "heavy_rotation", "top", f"--warehouse={warehouse}"]
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        command, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["imprt"], "there is no command 'imprt'; did you mean import?"),
        (["frobnicate"], "there is no command 'frobnicate'; there are import, login, "),
        (
            ["import", "x.zip", "--usr", "me"],
            "there is no option --usr; did you mean --user? It takes --help, --user, ",
        ),
        (["poll", "--frobnicate"], "there is no option --frobnicate; it takes --help, --once, --every, "),
        (["forget", "--user", "me", "--dry"], "there is no option --dry; did you mean --dry-run? It takes "),
        (["doctor", "now"], "'now' is one argument too many"),
        (["rebuild", "--archve=a"], "there is no option --archve; did you mean --archive? It takes --help, "),
        (["rebuild", "--temp-location=gs://b"], "there is no option --temp-location; did you mean --temp_location? It"),
        (["rebuild", "--archive=a"], "the following arguments are required: --warehouse"),
        (["forget", "--user=me", "--warehouse=w"], "name --archive and --warehouse both, or neither"),
    ],
)
def test_a_mistyped_command_line_ends_with_2_and_two_lines(argv: list[str], told: str) -> None:
    ended = run(*argv)
    usage, error = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert usage.startswith("usage: heavy-rotation ")
    assert error.startswith(f"error: {told}")


@pytest.mark.parametrize("module", ["producer", "pipelines.query", "pipelines.forget", "pipelines.rebuild"])
def test_python_m_stays(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0
    assert ended.stdout.startswith("usage: heavy-rotation ")


def test_ctrl_c_while_modules_load_is_quiet(tmp_path: Path) -> None:
    """A module that never ends to load stands for one that takes long."""
    (tmp_path / "platformdirs").mkdir()
    (tmp_path / "platformdirs" / "__init__.py").write_text(
        "import sys, threading\nprint('loading', flush=True)\nthreading.Event().wait()\n"
    )
    command = [sys.executable, "-m", "heavy_rotation", "import", "x", "--archive", "a"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout and process.stderr  # noqa: PT018
        assert process.stdout.readline() == "loading\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
        assert (process.stdout.read(), process.stderr.read()) == ("", "")


@pytest.mark.parametrize(
    ("argv", "package"),
    [(["rebuild", "--archive=a", "--warehouse=w"], "apache_beam"), (["query", "--warehouse=w"], "duckdb")],
)
def test_what_is_not_installed_is_told_in_a_sentence(argv: list[str], package: str, tmp_path: Path) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(f"raise ModuleNotFoundError(name='{package}')\n")
    ended = subprocess.run(
        [sys.executable, "-m", "heavy_rotation", *argv],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == f"error: {package} is not installed here: pip install 'heavy-rotation[all]'\n"


@pytest.mark.parametrize(
    ("places", "loaded"),
    [(("--archive=a", "--warehouse=w"), False), (("--archive=gs://a", "--warehouse=w"), True)],
    ids=["folders", "a bucket"],
)
def test_a_rebuild_of_folders_loads_beam_without_connectors_and_waits_for_no_sample(
    places: tuple[str, ...], loaded: bool
) -> None:
    code = (
        "import sys, heavy_rotation\n"
        "try:\n    heavy_rotation.main()\n"
        "except SystemExit:\n    pass\n"
        "connectors = 'google.auth', 'apitools', 'apache_beam.io.gcp.bigquery', 'pymongo'\n"
        "print('apache_beam' in sys.modules, *(name in sys.modules for name in connectors))\n"
        "seldom = 'httplib2.auth', 'dateutil.parser'\n"
        "print(*(type(sys.modules[name]).__name__ for name in seldom))\n"
        "from apache_beam.runners.worker.statesampler import StateSampler\n"
        "from apache_beam.utils.counters import CounterFactory\n"
        "print(StateSampler('', CounterFactory()).sampling_period_ms, 'ms')\n"
        "import google.auth, apache_beam.io.gcp.bigquery, bson"  # which are hidden no longer
    )
    command = [sys.executable, "-c", code, "rebuild", *places, "--help"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    told = ended.stdout.splitlines()[-3:]
    assert told[::2] == [f"True {loaded} {loaded} {loaded} {loaded}", "10 ms"]
    assert loaded or told[1] == "_LazyModule _LazyModule"
    assert ended.stderr == ""  # Beam warns of what it finds missing
