"""The stream's graph under TestStream: time is driven, so that a seed is the same to the millisecond each time."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from tests.siege import looking, product
from tests.siege.oracle import Ledger, WrongError, compare_plays, compare_tens, month_of
from tests.siege.paths.published import CORRUPT, Instants, closes, late_by_places
from tests.siege.paths.running import Siege
from tests.siege.world import END, ZONE, World, message, rfc3339

NOW = END + timedelta(hours=9)
# Messages in a bundle; None lets the refresh time pass; a text is where the watermark goes.
Step = list[bytes] | str | None


class Graph(Siege):
    """One world's messages: late, out of order, repeated, corrupt, in bundles of any size."""

    def go(self) -> None:
        """Raises WrongError, FailedError."""
        world, ledger, instants = World(self.seed), Ledger(), Instants()
        listed = [play for play in world.heard if play.stamp is not None]
        data = [json.dumps(message(instants.settled(play), play.end + 60_000)).encode() for play in listed]
        sent = late_by_places(self.rng, data, self.rng.choice([3, 40, 400]))
        sent += self.rng.choices(data, k=len(data) // 2)
        corrupt = self.rng.sample(CORRUPT, 3)
        for one in [*corrupt, *self.rng.choices(data, k=len(data) // 4)]:
            sent.insert(self.rng.randrange(len(sent) + 1), one)
        ledger.polled(listed)
        self.figures["messages"] += len(sent)
        self.figures["corrupt messages"] += len(corrupt)
        self.calm("streams under TestStream", run_graph, self.folder, self._steps(sent, world), NOW)
        self._cut_launch_short()
        archived = list(self.see(archived_instants, self.folder))
        if len(archived) != len(sent) - len(corrupt):
            raise WrongError(
                f"of {len(sent) - len(corrupt)} messages the archive has {len(archived)}: it has every one"
            )
        compare_plays(ledger, self.see(product.plays, self.folder))
        months = {month_of(play.at, ZONE) for play in ledger.plays()}
        taking = {month for month in months if closes(month) > NOW}
        self.figures["ranks compared"] += compare_tens(ledger, self.see(product.tens, self.folder), ZONE, taking)
        self.calm("rebuild", product.rebuild, self.folder, "all")
        compare_plays(ledger, self.see(product.plays, self.folder))
        self.figures["ranks compared"] += compare_tens(ledger, self.see(product.tens, self.folder), ZONE)
        self.figures["plays compared"] += len(listed)

    def _cut_launch_short(self) -> None:
        """A launch that ended before it had replayed all: it has seen some files of the archive, and not the others."""
        files = sorted((self.folder / "archive" / "plays").glob("month=*/*.avro"))
        unseen = self.rng.sample(files, len(files) // 2)
        for file in unseen:
            file.rename(file.with_suffix(".unseen"))
        before = self.see(looking.seen, self.folder)
        self.calm("launches cut short", run_graph, self.folder, [None], NOW + timedelta(minutes=1))
        for file in unseen:
            file.with_suffix(".unseen").rename(file)
        now = self.see(looking.seen, self.folder)
        if less := {key: (plays, now.get(key, 0)) for key, plays in before.items() if now.get(key, 0) < plays}:
            raise WrongError(f"after a launch that was cut short readers see less: {less}")

    def _steps(self, sent: Sequence[bytes], world: World) -> list[Step]:
        steps: list[Step] = []
        left, watermark = list(sent), world.begin
        while left:
            size = self.rng.choice([1, 2, 7, 30, 200])
            steps.append(left[:size])
            left = left[size:]
            if self.rng.random() < 0.3:
                steps.append(None)
            if self.rng.random() < 0.2:  # a watermark that runs ahead of what is still on its way
                watermark = self.rng.randint(watermark, world.end)
                steps.append(rfc3339(watermark))
        return steps


def run_graph(folder: Path, steps: Sequence[Step], now: datetime) -> None:
    """From the messages to the tables in the folder."""
    from apache_beam.io.gcp.pubsub import PubsubMessage

    from tests.streaming.running import Script, run_stream

    script = Script(now)
    for step in steps:
        if step is None:
            script.early_pane()
        elif isinstance(step, str):
            script.watermark(step)
        else:
            script.messages(*(PubsubMessage(data, {}) for data in step))
    run_stream(folder, script, time_zone=ZONE)


def archived_instants(folder: Path) -> list[datetime]:
    """Of each record of the archive."""
    return [record["played_at"] for record in product.archived(folder)]
