"""Answers and pages from a warehouse in a folder."""

import json
import os
import re
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks import archives
from benchmarks.archives import LAST_MONTH, Shape
from benchmarks.clusters import ROOT
from benchmarks.process import BenchmarkError, cpu_millis, cpu_seconds, peak_mb, run_python
from benchmarks.results import Measured, Row
from benchmarks.settings import Settings
from demo.processes import Process

_LONGEST_SECONDS = 900
_LIFETIME = Shape(300_000, 1, 150)
_TEN_LIVES = Shape(3_000_000, 1, 150)
_ASKING = """\
In a process that keeps its tables, of a folder's warehouse: milliseconds until all rows are there. First the three
monthly views whole, then the documented queries as they stand. `first` reads the months that none needed before."""
_PAGES = """\
`heavy-rotation web` as a process, one request after the other, milliseconds until the last byte. `first` is the first
time that anybody asks for it, in this order; `again` the middle of five more, of what is remembered; CPU of all threads
of the server; no network. The first row is from the start of the process, and what came after it in the background, the
answers of all months, is the second; the rest was measured when that was over."""
_AGAIN = 5
# In many names, and in none.
_SEARCHES = ("/history?q=a", "/history?q=no+such+name")
# Less than that in so many seconds is what a server takes that waits.
_BUSY_MS, _IDLE_SECONDS = 60.0, 8.0


def measure(settings: Settings) -> Iterator[Measured]:
    """Two tables. Raises BenchmarkError."""
    rows: list[Row] = []
    pages: list[Row] = []
    large = Shape(min(settings.most, 10_000_000 if settings.long else 1_000_000), 200, 24)
    with settings.folder() as folder:
        for number, shape in enumerate((_LIFETIME, large)):
            scaled = shape.scaled(settings.share)
            settings.say(f"asking: {scaled}")
            warehouse = _made(scaled, folder / str(number), settings.seed)
            rows += _asked(scaled, warehouse)
            if shape is _LIFETIME:
                pages = list(_pages(warehouse, folder))
        yield Measured("asking", "Asking", _ASKING, rows)
        yield Measured("pages", "Pages", f"{_PAGES} {_LIFETIME.scaled(settings.share)}.", pages)
        if settings.long:
            shape = _TEN_LIVES.scaled(settings.share)
            settings.say(f"asking: {shape}")
            pages = list(_pages(_made(shape, folder / "ten", settings.seed), folder))
            yield Measured("pages_of_ten", "Pages of ten times as many plays", f"As above. {shape}.", pages)


def _made(shape: Shape, folder: Path, seed: int) -> Path:
    made = archives.make(shape, folder / "archive", seed)
    places = [f"--archive={made.folder}", f"--warehouse={folder / 'warehouse'}"]
    run_python(["-m", "heavy_rotation", "rebuild", *places], folder / "rebuild.log", _LONGEST_SECONDS)
    return folder / "warehouse"


def _asked(shape: Shape, warehouse: Path) -> Iterator[Row]:
    log = warehouse.with_suffix(".log")
    run_python(["-m", "benchmarks.asked", str(warehouse)], log, _LONGEST_SECONDS)
    answers: dict[str, tuple[float, float, float]] = json.loads(log.read_text().splitlines()[-1])
    of = str(shape)
    for name, (first, again, cpu) in answers.items():
        yield {"warehouse": of, "question": name, "first ms": first, "again ms": again, "again CPU ms": cpu}
        of = ""


def _paths() -> tuple[str, ...]:
    month, year = f"{LAST_MONTH:%Y-%m}", LAST_MONTH.year
    sheets = (
        "/",
        f"/month/{month}",
        f"/year/{year}",
        f"/recap?from={year}-01-01&to={month}-31",
        f"/top/tracks?from={year}-01-01&to={month}-31",
    )
    spans = (
        # Of no calendar's bounds: nothing of them is there before.
        f"/recap?from={year - 1}-04-11&to={month}-30",
        f"/recap?from={year - 6}-04-11&to={month}-30",
        "/recap",
        f"/top/tracks?from={year - 3}-02-11&to={year}-03-07",
        f"/compare?a={year - 8}-05-10..{year - 5}-01-01&b={year - 5}-01-02..{month}-01",
        # Of months and years the background makes what is ranked by plays.
        f"/month/{year - 4}-03?by=time",
        f"/year/{year - 4}?by=time",
    )
    return (
        *sheets,
        *spans,
        f"/month/{year - 5}-03",
        f"/year/{year - 5}",
        f"/calendar/{year}",
        f"/day/{month}-15",
        "/history",
        f"/compare?a={year}&b={year - 1}",
    )


def _items(page: str) -> dict[str, str]:
    """The first song, artist and album of a month's page, and the second song in a span: by address what it is."""
    links = re.findall(r'href="(/(song|artist|album)/[^"?]+)', page)
    first = {kind: link for link, kind in reversed(links)}
    second = next(link for link, kind in links if kind == "song" and link != first["song"])
    span = f"?from={LAST_MONTH.year - 2}-01-01&to={LAST_MONTH:%Y-%m}-31"
    return {link: f"/{kind}/…" for kind, link in sorted(first.items())} | {second + span: f"/song/…{span}"}


def _pages(warehouse: Path, folder: Path) -> Iterator[Row]:
    options = ["--warehouse", str(warehouse), "--port", "0", "--no-browser", "--no-covers", "--home", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    with Process(["-m", "heavy_rotation", "web", *options], environment, folder / "web.log") as server:
        if not server.wait_for("Ctrl-C ends it", 60):
            raise BenchmarkError(f"the web did not start:\n{server.log.read_text()}")
        address = re.search(r"http://[\d.:]+", server.log.read_text())
        assert address
        _, size = _get(address[0] + "/")
        spent = cpu_seconds(server.pid) * 1000
        cold = {"first ms": (time.perf_counter() - began) * 1000, "first CPU ms": spent, "KB": size / 1000}
        yield {"page": "/, from the start", **cold, "again ms": None, "again CPU ms": None}
        yield {"page": "in the background", **dict.fromkeys(cold), "first CPU ms": _idle(server.pid) - spent}
        yielded: Row = {}
        items = _items(_text(f"{address[0]}/month/{LAST_MONTH:%Y-%m}"))
        for path in (*_paths(), *items, *_SEARCHES):
            before = cpu_millis(server.pid)
            first, size = _get(address[0] + path)
            spent = cpu_millis(server.pid) - before
            again = [_get(address[0] + path)[0] for _ in range(_AGAIN)]
            middle, again_spent = statistics.median(again), (cpu_millis(server.pid) - before - spent) / _AGAIN
            yielded = {
                "page": items.get(path, path),
                "first ms": first,
                "first CPU ms": spent,
                "again ms": middle,
                "again CPU ms": again_spent,
                "KB": size / 1000,
            }
            yield yielded
        yield dict.fromkeys(yielded) | {"page": "memory of the server, MB", "again ms": peak_mb(server.pid)}


def _idle(pid: int) -> float:
    """The milliseconds of CPU that a process has taken when it has nothing to do any more."""
    before, now = -_BUSY_MS, cpu_seconds(pid) * 1000  # with the threads that have ended
    while now - before >= _BUSY_MS:
        time.sleep(_IDLE_SECONDS)
        before, now = now, cpu_seconds(pid) * 1000
    return now


def _get(url: str) -> tuple[float, int]:
    """Milliseconds until the last byte, and how many bytes there were."""
    began = time.perf_counter()
    size = len(_text(url).encode())
    return (time.perf_counter() - began) * 1000, size


def _text(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310 - our own
            text: str = answer.read().decode()
    except urllib.error.HTTPError as error:
        raise BenchmarkError(f"{url} answers {error.code}: {error.read().decode()[:1000]}") from None
    return text
