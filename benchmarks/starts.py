"""What each command takes before it does anything."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.archives import Shape, make
from benchmarks.process import Used, median, run_python
from benchmarks.results import Measured
from benchmarks.settings import Settings

_LONGEST_SECONDS = 60
_ABOUT = """\
Whole processes, by turns, medians. `nothing` is Python itself, `-c pass`; `--help` loads what a command's options
need; what has no `--help` runs on tables or an archive of one play, and has run before."""
_COMMANDS = ((), ("import",), ("poll",), ("top",), ("query",), ("rebuild",), ("stream",), ("forget",), ("doctor",))


def measure(settings: Settings) -> Iterator[Measured]:
    """One table. Raises BenchmarkError."""
    commands = {"nothing": ["-c", "pass"]} | {
        " ".join(("heavy-rotation", *words, "--help")): ["-m", "heavy_rotation", *words, "--help"]
        for words in _COMMANDS
    }
    used: dict[str, list[Used]] = {name: [] for name in commands}
    settings.say("start-up")
    with settings.folder() as folder:
        for name, arguments in _on_one_play(folder, settings.seed).items():
            run_python(arguments, folder / "log", _LONGEST_SECONDS)
            commands[name], used[name] = arguments, []
        for _ in range(settings.runs * 2 + 1):
            for name, arguments in commands.items():
                used[name].append(run_python(arguments, folder / "log", _LONGEST_SECONDS))
    middle = {name: median(runs) for name, runs in used.items()}
    yield Measured(
        "start",
        "Start-up",
        _ABOUT,
        [
            {"command": name, "wall s": one.seconds, "CPU s": one.cpu_seconds, "peak MB": round(one.peak_mb)}
            for name, one in middle.items()
        ],
    )


def _on_one_play(folder: Path, seed: int) -> dict[str, list[str]]:
    archive = make(Shape(1, 1, 1), folder / "archive", seed).folder
    tables = ["--warehouse", str(folder / "warehouse")]
    words = {
        "heavy-rotation rebuild": ["rebuild", "--archive", str(archive), *tables],
        "heavy-rotation query 'SELECT …'": ["query", *tables, "SELECT COUNT(*) FROM heavy_rotation.plays"],
        "heavy-rotation top": ["top", *tables],
    }
    return {name: ["-m", "heavy_rotation", *arguments] for name, arguments in words.items()}
