"""What Beam's local runner takes for a play: ``python -m benchmarks.graphs GRAPH PLAYS PLAYS_OF_A_LISTENER``.

One of four graphs on the same messages, in one process; printed are microseconds of CPU for a play, those of a thousand
plays taken off, so that starting does not count; nor does what only a process's first pipeline does, which a run before
both takes. The messages are of one month and 2,000 tracks.

floor      parses, hands a play on as bytes, and writes a listener's state once in a hundred plays
plumbing   parses, counts each play in a listener's state
idiomatic  parses, a key for each play, DeduplicatePerKey, months, Count of each track, Top ten
stream     the project's graph, from parsing to archived files, plays and top tens, with sinks that do nothing
"""

import json
import logging
import pickle
import random
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.combiners import Top
from apache_beam.transforms.deduplicate import DeduplicatePerKey
from apache_beam.transforms.trigger import AccumulationMode, AfterWatermark
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from apache_beam.utils.timestamp import Duration

from pipelines.domain.instants import rfc3339
from pipelines.domain.month import Calendar
from pipelines.storage.archive import Archive
from pipelines.streaming import graph as streaming
from pipelines.streaming.batches import UserPlays
from pipelines.streaming.settings import StreamOptions

_BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
_NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
_DAYS = 27
_TRACKS, _ALBUMS, _ARTISTS = 2_000, 600, 300
_MONTH = 30 * 86_400
_STARTING = 1_000
_A_BATCH = 100

Messages = Any
Play = dict[str, Any]


def messages(plays: int, of_a_listener: int) -> list[bytes]:
    """The data of so many messages, of as many listeners as that makes."""
    rng = random.Random(1)
    listeners = max(1, plays // of_a_listener)
    return [_message(rng, number % listeners) for number in range(plays)]


def _message(rng: random.Random, listener: int) -> bytes:
    track = rng.randrange(_TRACKS)
    album, artist = track % _ALBUMS, track % _ARTISTS
    at = _BEGIN + timedelta(milliseconds=rng.randrange(_DAYS * 86_400_000))
    play = {
        "user_id": f"listener{listener:06}",
        "played_at": rfc3339(at),
        "track_id": f"{track:022x}",
        "track_name": f"Song {track}",
        "duration_ms": 200_000,
        "isrc": "FRX",
        "explicit": False,
        "artists": [{"id": f"a{artist:021x}", "name": f"Artist {artist}"}],
        "album_id": f"b{album:021x}",
        "album_name": f"Album {album}",
        "album_release_date": "2020-01-01",
        "album_image_url": f"https://images.example/{album:040x}",
        "source": "RECENTLY_PLAYED",
        "ingested_at": rfc3339(at + timedelta(minutes=10)),
    }
    return json.dumps(play).encode()


class _InBatches(beam.DoFn):
    STATE = ReadModifyWriteStateSpec("plays", VarIntCoder())

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def start_bundle(self) -> None:
        self.seen = {}

    def process(self, keyed: tuple[str, bytes], state: Any = beam.DoFn.StateParam(STATE)) -> Iterator[None]:  # noqa: B008
        seen = self.seen[keyed[0]] = self.seen.get(keyed[0], 0) + 1
        if seen % _A_BATCH == 0:
            state.write((state.read() or 0) + _A_BATCH)
        yield None


class _Each(beam.DoFn):
    STATE = ReadModifyWriteStateSpec("plays", VarIntCoder())

    def process(self, keyed: tuple[str, Play], state: Any = beam.DoFn.StateParam(STATE)) -> Iterator[Play]:  # noqa: B008
        state.write((state.read() or 0) + 1)
        yield keyed[1]


def _floor(data: Messages, _: Path) -> None:
    keyed = data | beam.Map(lambda text: (json.loads(text)["user_id"], text)).with_output_types(tuple[str, bytes])
    keyed | beam.ParDo(_InBatches()) | beam.Map(_nothing)


def _plumbing(data: Messages, _: Path) -> None:
    keyed = data | beam.Map(json.loads) | "Key" >> beam.Map(_by_user).with_output_types(tuple[str, dict])
    keyed | beam.ParDo(_Each()) | beam.Map(_nothing)


def _idiomatic(data: Messages, _: Path) -> None:
    once = (
        data
        | beam.Map(json.loads)
        | "Key" >> beam.Map(_by_play).with_output_types(tuple[str, dict])
        | DeduplicatePerKey(event_time_duration=Duration(_MONTH + 86_400))
        | beam.Values()
        | beam.WindowInto(
            FixedWindows(_MONTH), trigger=AfterWatermark(), accumulation_mode=AccumulationMode.ACCUMULATING
        )
    )
    (
        once
        | "Tracks" >> beam.Map(_by_track)
        | beam.CombinePerKey(sum)
        | beam.MapTuple(lambda key, count: (key[0], (count, key[1]))).with_output_types(tuple[str, tuple[int, str]])
        | Top.PerKey(10)
        | beam.Map(_nothing)
    )


def _stream(data: Messages, folder: Path) -> None:
    options = StreamOptions(
        subscription="projects/p/subscriptions/s",
        archive=str(folder / "archive"),
        warehouse="",
        calendar=Calendar(),
        refresh_seconds=60,
        lateness=timedelta(days=35),
        archive_batch_plays=10_000,
        archive_batch_seconds=30,
    )
    # As for a launch that finds an empty archive: here the files would be listed when all messages are in them.
    vars(streaming)["ReplayOpenMonths"] = _NothingToReplay
    streaming.build(data | "Message" >> beam.Map(_as_message), options, _Nowhere(), _now)


class _NothingToReplay(beam.PTransform):
    def __init__(self, *_: Any) -> None:
        super().__init__()

    def expand(self, begin: Any) -> Any:
        return begin | beam.Impulse() | beam.FlatMap(_no_plays).with_output_types(UserPlays)


def _no_plays(_: bytes) -> Iterable[Any]:
    return ()


class _Nowhere:
    """A sink that takes rows and does nothing."""

    def __call__(self, table: str) -> beam.PTransform:  # noqa: ARG002
        return beam.Map(_nothing)

    def append(self, table: str, rows: Any) -> set[int]:  # noqa: ARG002
        return set()


GRAPHS: dict[str, Callable[[Messages, Path], None]] = {
    "floor": _floor,
    "plumbing": _plumbing,
    "idiomatic": _idiomatic,
    "stream": _stream,
}


def _nothing(_: Any) -> None:
    return None


def _now() -> datetime:
    return _NOW


def _as_message(data: bytes) -> PubsubMessage:
    return PubsubMessage(data, {})


def _by_user(play: Play) -> tuple[str, Play]:
    return play["user_id"], play


def _by_play(play: Play) -> Any:
    at = datetime.fromisoformat(play["played_at"]).timestamp()
    return TimestampedValue((f"{play['user_id']} {play['played_at']}", play), at)


def _by_track(play: Play) -> tuple[tuple[str, str], int]:
    return (play["user_id"], play["track_id"]), 1


def _read(path: str) -> Iterable[bytes]:
    data: list[bytes] = pickle.loads(Path(path).read_bytes())  # noqa: S301 - written below
    return data


def _cpu_seconds(graph: str, data: list[bytes]) -> float:
    """In user and system mode, of this process: the runner's workers are threads of it."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory(prefix="heavy-rotation-bench-") as name:
        # Given to Create they would be pickled into the graph, which costs more than all the rest.
        path = Path(name, "messages")
        path.write_bytes(pickle.dumps(data))
        with beam.Pipeline("FnApiRunner", options=PipelineOptions(["--allow_unsafe_triggers"])) as pipeline:
            read = pipeline | beam.Create([str(path)]) | "Read" >> beam.FlatMap(_read).with_output_types(bytes)
            GRAPHS[graph](read, Path(name))
        after = resource.getrusage(resource.RUSAGE_SELF)
        if graph == "stream" and (archived := _archived(Path(name))) != len(data):
            raise SystemExit(f"the stream took {len(data)} messages for {archived} plays")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _archived(folder: Path) -> int:
    archive = Archive(str(folder / "archive"))
    return sum(len(list(archive.read(path))) for path in archive.files())


def main(graph: str, plays: str, of_a_listener: str) -> None:
    """Print the figure."""
    logging.disable(logging.ERROR)
    data = messages(int(plays), int(of_a_listener))
    # A first pipeline loads modules, in 30 ms, or in 110 where they have to be compiled: six microseconds for each of
    # 20,000 plays, which would be taken off with the thousand though these plays load nothing.
    _cpu_seconds(graph, data[:_STARTING])
    starting = _cpu_seconds(graph, data[:_STARTING])
    print((_cpu_seconds(graph, data) - starting) / (len(data) - _STARTING) * 1e6)


if __name__ == "__main__":
    main(*sys.argv[1:])
