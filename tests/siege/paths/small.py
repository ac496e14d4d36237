"""Size small: polls into the archive, exports between, rebuilds of what changed; killed at any step, two at once."""

import time
from collections.abc import Callable
from typing import Any

from tests.siege import looking, product
from tests.siege.apart import KILLED, FailedError, Moment, begin
from tests.siege.oracle import Ledger, WrongError, compare_plays, compare_tens, month_of
from tests.siege.paths.running import Siege
from tests.siege.world import EPISODE, ZONE, World, account_row, extended_row, listing

_HOUR = 3_600_000


class Small(Siege):
    """One world, lived through."""

    def go(self) -> None:
        """Raises WrongError, FailedError."""
        self.world, self.ledger = World(self.seed), Ledger()
        self.with_account_data = {user for user in self.world.users if self.rng.random() < 0.3 and self._is_plain(user)}
        for now in self._polls():
            self._poll_all(now, beside=self.rng.random() < 0.15)
            if self.rng.random() < 0.1:
                self._export(self.rng.choice(list(self.world.users)), now)
            if self.rng.random() < 0.08:
                self._rebuild()
        end = self.world.end + 4 * _HOUR
        self._poll_all(end, beside=self.rng.random() < 0.5)
        for user in self.world.users:
            if self.rng.random() < 0.6 or self.world.users[user] == "offline":
                self._export(user, end)
        self.calm("rebuild", product.rebuild, self.folder)
        self.judge()
        if self.rng.random() < 0.6:
            self._damage()
        if self.rng.random() < 0.5:
            self._forget(end)

    def _rebuild(self) -> None:
        """Of what changed, perhaps while somebody looks all the while."""
        if not (self.folder / "warehouse" / "warehouse.json").exists() or self.rng.random() < 0.5:
            self._work("rebuild", product.rebuild, self.folder)
            return
        enough = self.folder / "enough"
        reader = begin(looking.watch, self.folder, enough, log=self.log)
        try:
            self._work("rebuild", product.rebuild, self.folder)
        finally:
            enough.touch()
            self.figures["looks beside a rebuild"] += reader.wait()
            enough.unlink()

    def judge(self) -> None:
        """Compare all with the oracle."""
        compare_plays(self.ledger, self.see(product.plays, self.folder))
        self.figures["ranks compared"] += compare_tens(self.ledger, self.see(product.tens, self.folder), ZONE)
        self.figures["plays compared"] += len(self.ledger.plays())

    def _is_plain(self, user: str) -> bool:
        return self.world.users[user] in ("heavy", "idle", "many ids")

    def _polls(self) -> list[int]:
        """Often enough that Spotify's list never runs over: at most 40 new plays between two."""
        stamps = sorted(play.listed_at for play in self.world.heard if play.stamp is not None)
        polls, since = [], 0
        for at in stamps:
            since += 1
            if since >= self.rng.randint(5, 40):
                polls.append(at)
                since = 0
        return polls

    def _poll_all(self, now: int, *, beside: bool) -> None:
        """Poll everybody, perhaps ``beside`` a rebuild: what comes meanwhile is for this one, or for the next."""
        rebuild = begin(product.rebuild, self.folder, log=self.log) if beside else None
        if rebuild:
            time.sleep(self.rng.uniform(0, 2))
            self.figures["rebuilds beside polls"] += 1
        for user in self.world.users:
            listed = listing(self.world.of(user), now)
            if self.rng.random() < 0.2:
                self.rng.shuffle(listed)
                self.figures["lists out of order"] += 1
            if self.rng.random() < 0.2 and listed:
                listed += self.rng.choices(listed, k=2)
                self.figures["lists with repeats"] += 1
            self._work("poll", product.poll, self.folder, user, listed, now)
            self.ledger.polled(reversed(listing(self.world.of(user), now)))
        if rebuild:
            rebuild.wait()

    def _export(self, user: str, now: int) -> None:
        """An extended export up to now, or of a part, perhaps with account data beside it or before it."""
        until = now - self.rng.randrange(_HOUR)
        there = [play for play in self.world.of(user) if play.reported <= until]
        kinds = ["extended"]
        if user in self.with_account_data and self.rng.random() < 0.7:
            kinds = self.rng.choice([["account"], ["account", "extended"], ["extended", "account"], ["both"]])
        for kind in kinds:
            files: dict[str, list[dict[str, Any]]] = {}
            if kind != "account":
                rows = [extended_row(play) for play in there]
                rows += self.rng.sample(rows, len(rows) // 20)
                rows.append(EPISODE)
                self.rng.shuffle(rows)
                half = self.rng.randrange(len(rows))
                files = {"Streaming_History_Audio_2026_0": rows[:half], "Streaming_History_Audio_2026_1": rows[half:]}
                files = {name: some for name, some in files.items() if some}
                self.ledger.exported(there)
            if kind != "extended":
                files["StreamingHistory_music_0"] = [account_row(play) for play in there]
                self.ledger.in_account_data(there)
            if any(files.values()):
                self._import(user, files, now)

    def _import(self, user: str, files: dict[str, list[dict[str, Any]]], now: int) -> None:
        export = product.write_export(self.folder / f"export-{self.figures['exports']}", files)
        self.figures["exports"] += 1
        self._work("import", product.import_exports, self.folder, user, export, now)

    def _damage(self) -> None:
        """A file of the archive breaks, and the tables of a month that it has nothing to do with are lost."""
        files = sorted((self.folder / "archive" / "plays").glob("month=*/*.avro"))
        broken = self.rng.choice(files)
        data, touched = broken.read_bytes(), {month_of(play.at, ZONE) for play in self.ledger.plays()}
        cut = self.rng.randrange(len(data))
        how = self.rng.choice([b"", data[:cut], b"Obj\x02" + data[4:], data[:cut] + bytes(64) + data[cut + 64 :]])
        broken.write_bytes(how)
        far = [m for m in touched if abs(_number(m) - _number(broken.parent.name.removeprefix("month="))) > 1]
        for lost in far[:1]:
            for file in (self.folder / "warehouse").glob(f"*/month={lost}/*.parquet"):
                file.unlink()
        told = self.log.stat().st_size
        self.figures["archive files damaged"] += 1
        try:
            self.calm("rebuild", product.rebuild, self.folder, "all")
        except FailedError:
            if str(broken) not in self.log.read_text()[told:]:
                raise WrongError(f"nobody named {broken}, which is damaged") from None
        else:
            # Where the damage did no harm nothing had to be told.
            if how != data and broken.exists() and self.see(product.is_unreadable, broken):
                raise WrongError(f"{broken} is damaged, and the rebuild ended as if all were well")
        self.judge()
        broken.write_bytes(data)
        self.calm("rebuild", product.rebuild, self.folder)
        self.judge()

    def _forget(self, now: int) -> None:
        """Somebody is forgotten, and stays so, however often all is made again; the others stay as they were."""
        user = self.rng.choice(list(self.world.users))
        self._work("forget", product.forget, self.folder, user)
        self.ledger.forget(user)
        self.calm("rebuild", product.rebuild, self.folder, "all") if self.ledger.plays() else None
        if self.ledger.plays():
            self.judge()

    def _work(self, name: str, work: Callable[..., Any], *arguments: Any) -> None:
        """Do it until it was done once; killed on the way, or two at once, as it is drawn."""
        if name == "poll" and not self.figures["poll, killed before it writes"]:
            moment = Moment(0, self.folder / "archive" / "plays", writes=True)
            if begin(work, *arguments, moment=moment, log=self.log).wait() is not KILLED:
                return
            self.figures["poll, killed before it writes"] += 1
        while True:
            if name != "forget" and self.rng.random() < 0.1:
                self.figures["two at once"] += 1
                both = [begin(work, *arguments, log=self.log) for _ in range(2)]
                for one in both:
                    one.wait()
                return
            if self.attempt(name, work, *arguments, kill=self.rng.random() < 0.3) is not KILLED:
                return


def _number(month: str) -> int:
    year, number = map(int, month.split("-"))
    return 12 * year + number
