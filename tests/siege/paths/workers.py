"""Workers apart: the stream's graph on bounded input and the rebuild, with the SDK harness in processes of its own.

And the rebuild on a Dask cluster, of whose workers one is killed and another comes, where Dask is installed.
"""

import json
import pickle
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.clusters import DaskCluster
from tests.siege import product
from tests.siege.apart import begin
from tests.siege.oracle import Ledger, WrongError, compare_plays, compare_tens, month_of
from tests.siege.paths.published import CORRUPT, Instants, closes, late_by_places
from tests.siege.paths.running import Siege
from tests.siege.world import END, ZONE, World, message

NOW = END + timedelta(hours=9)
_APART = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


class Workers(Siege):
    """One world's messages, in any order and twice."""

    def go(self) -> None:
        """Raises WrongError, FailedError."""
        world, self.ledger, instants = World(self.seed), Ledger(), Instants()
        listed = [play for play in world.heard if play.stamp is not None]
        data = [json.dumps(message(instants.settled(play), play.end + 60_000)).encode() for play in listed]
        sent = late_by_places(self.rng, [*data, *data, *CORRUPT[:2]], 2 * len(data))
        self.ledger.polled(listed)
        self.figures["messages"] += len(sent)
        self.calm("streams in processes", run_in_processes, self.folder, sent, NOW)
        months = {month_of(play.at, ZONE) for play in self.ledger.plays()}
        self._judge({month for month in months if closes(month) > NOW})
        self.calm("rebuilds in processes", product.rebuild, self.folder, "all", _APART)
        self._judge(None)
        if find_spec("distributed"):
            self._on_dask()

    def _on_dask(self) -> None:
        """Into tables of its own, with a worker that is killed once there is something to lose, and one that comes."""
        for table in ("play_events", "top_ten_snapshots"):
            product.remove(self.folder / "warehouse" / table)
        with DaskCluster(self.folder / "dask") as cluster:
            rebuild = begin(product.rebuild, self.folder, "all", cluster.options, log=self.log)
            try:
                time.sleep(self.rng.uniform(1, 8))
                self.figures["Dask's workers killed"] += not rebuild.has_ended
                cluster.workers[0].kill()
                cluster.add_worker()
                rebuild.wait(240)
            finally:
                rebuild.kill()
        self.figures["rebuilds on Dask"] += 1
        self._judge(None)

    def _judge(self, months: set[str] | None) -> None:
        compare_plays(self.ledger, self.see(product.plays, self.folder))
        ranks = compare_tens(self.ledger, self.see(product.tens, self.folder), ZONE, months)
        if not ranks:
            raise WrongError("there are no tens")
        self.figures["ranks compared"] += ranks
        self.figures["plays compared"] += len(self.ledger.plays())


def run_in_processes(folder: Path, sent: Sequence[bytes], now: datetime) -> None:
    """The stream's graph from messages in a file to tables in the folder."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.domain.month import Calendar
    from pipelines.runners import LOCAL_BATCH_RUNNER
    from pipelines.storage.archive import Archive
    from pipelines.streaming.graph import build
    from pipelines.streaming.settings import StreamOptions
    from pipelines.streaming.sinks import sink_of

    file, calendar = folder / "messages", Calendar(ZONE)
    file.write_bytes(pickle.dumps(list(sent)))
    options = StreamOptions(
        subscription="projects/siege/subscriptions/plays",
        archive=str(folder / "archive"),
        warehouse=str(folder / "warehouse"),
        calendar=calendar,
        refresh_seconds=1,
        lateness=timedelta(days=35),
        archive_batch_plays=50,
        archive_batch_seconds=1,
    )
    sink = sink_of(options.warehouse, ZONE, Archive(options.archive).marks)
    with beam.Pipeline(LOCAL_BATCH_RUNNER, options=PipelineOptions([*_APART, "--allow_unsafe_triggers"])) as pipeline:
        read = pipeline | beam.Create([str(file)]) | "Read" >> beam.FlatMap(messages_in) | beam.Reshuffle()
        build(read, options, sink, partial(_constant, now))


def messages_in(path: str) -> Iterator[Any]:
    """As Pub/Sub brings them."""
    from apache_beam.io.gcp.pubsub import PubsubMessage

    for data in pickle.loads(Path(path).read_bytes()):  # noqa: S301  our own
        yield PubsubMessage(data, {})


def _constant(now: datetime) -> datetime:
    return now
