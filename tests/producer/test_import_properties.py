"""What holds for every history: importing again changes nothing, and as many plays are counted as there were.

A history is invented, then told by three witnesses as Spotify would: polling, the extended export, account data.
"""

import random
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.instants import rfc3339
from pipelines.domain.play import Play
from tests.producer.exports import account, extended
from tests.producer.history import History

# Shortly before a month ends in Paris.
BEGINNING = datetime(2026, 5, 31, 21, 40, tzinfo=UTC)


@dataclass(frozen=True)
class Real:
    """A play as it was: when it ended, how the API stamps it, and when it was reported, if it was heard offline."""

    ended: datetime
    track: str
    ms_played: int
    stamp: datetime
    reported: datetime | None = None

    @property
    def exported(self) -> dict[str, Any]:
        """The row of the extended export: the end's whole second, or of an offline play the beginning's."""
        if self.reported is None:
            return extended(f"{self.ended:%Y-%m-%dT%H:%M:%SZ}", self.track, self.ms_played)
        began = int((self.ended - timedelta(milliseconds=self.ms_played)).timestamp())
        told = {"offline": True, "offline_timestamp": began}
        return extended(f"{self.reported:%Y-%m-%dT%H:%M:%SZ}", self.track, self.ms_played, **told)

    @property
    def in_account_data(self) -> dict[str, Any]:
        """The row of account data: the end's minute."""
        return account(f"{self.ended:%Y-%m-%d %H:%M}", self.track, self.ms_played)


@st.composite
def histories(draw: st.DrawFn) -> list[Real]:
    """Up to eight plays, one after the other; now and then the same track, a pause, the start for a stamp.

    Not the start of a track on repeat, which is the end of the play before: docs/import.md has it among what stays.
    """
    now, plays = BEGINNING, []
    for number in range(draw(st.integers(1, 8))):
        now += timedelta(seconds=draw(st.sampled_from([0, 0, 0, 1, 40, 3_600])))
        # No two have the same ms_played: in one minute of account data they would be one play.
        ms_played = draw(st.sampled_from([30_000, 45_500, 61_000, 180_250])) + number
        ended = now + timedelta(milliseconds=ms_played)
        track = draw(st.sampled_from("aaab"))
        start = now if not plays or plays[-1].track != track else ended
        stamped = draw(st.sampled_from([ended, ended, start])) + timedelta(milliseconds=draw(st.integers(0, 18_000)))
        # Nor have two the same stamp: to the API they would be one play.
        stamped = stamped.replace(microsecond=stamped.microsecond // 10_000 * 10_000 + number * 1_000)
        late = draw(st.sampled_from([None, None, 45, 900, 7_200]))
        reported = None if late is None else ended + timedelta(seconds=late)
        plays.append(Real(ended, track, ms_played, stamped, reported))
        now = ended
    return plays


def told_by(plays: list[Real], draw: st.DataObject) -> list[Real]:
    """Some of the plays."""
    return [play for play in plays if draw.draw(st.booleans())]


def poll(history: History, plays: list[Real]) -> None:
    """A poll of another state: the archive alone knows of it."""
    for play in plays:
        history.poll_elsewhere(rfc3339(play.stamp), track=play.track)


def poll_here(history: History, plays: list[Real], draw: st.DataObject) -> None:
    """The plays may still be on their way when the next thing happens, and the poll may end at any point."""
    is_late, fails = draw.draw(st.booleans()), draw.draw(st.sampled_from([None, None, "before", "after"]))
    history.poll(*((rfc3339(play.stamp), play.track) for play in plays), is_late=is_late, fails=fails)


def tracks(plays: list[Play] | list[Real]) -> list[str]:
    return sorted((play.track if isinstance(play, Real) else play.track_name[-1]) for play in plays)


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_each_play_counts_once_whatever_was_polled_before(plays: list[Real], data: st.DataObject) -> None:
    """The whole extended export and a part of it, in any order and again, and some account data after it.

    The part has what was polled: docs/import.md has what may come of another one among what stays.
    """
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        polled, others = told_by(plays, data), told_by(plays, data)
        poll(history, polled)
        whole = [play.exported for play in plays]
        part = [play.exported for play in plays if play in polled or play in others]
        minutes = [play.in_account_data for play in told_by(plays, data)]
        for rows in (*data.draw(st.permutations([whole, part])), whole, minutes, whole):
            history.load(*rows)
        assert tracks(history.counted()) == tracks(plays)


@pytest.mark.parametrize("export", ["extended export", "account data", "both"])
@settings(max_examples=60, deadline=None)
@given(plays=histories(), data=st.data())
def test_each_play_counts_once_whenever_it_is_polled(export: str, plays: list[Real], data: st.DataObject) -> None:
    """Polls and imports in every order, each of what there happens to be, and some of them interrupted."""

    def rows(plays: list[Real]) -> list[dict[str, Any]]:
        kinds = {"extended export": [True], "account data": [False], "both": [True, False]}[export]
        return [play.exported if is_extended else play.in_account_data for is_extended in kinds for play in plays]

    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        for step in data.draw(st.lists(st.sampled_from(["poll", "import", "import in vain", "stream"]), max_size=6)):
            some = told_by(plays, data)
            match step:
                case "poll":
                    poll_here(history, some, data)
                case "import":
                    history.load(*rows(some))
                case "import in vain":
                    history.load_in_vain(*rows(some))
                case "stream":
                    history.stream()
        history.load(*rows(plays))
        poll_here(history, plays, data)
        history.stream()
        assert tracks(history.counted()) == tracks(plays)


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_each_play_counts_once_if_account_data_came_first(plays: list[Real], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        minutes = [play.in_account_data for play in told_by(plays, data)]
        whole = [play.exported for play in plays]
        for rows in (minutes, whole, minutes, whole):
            history.load(*rows)
        assert tracks(history.counted()) == tracks(plays)


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_exports_of_plays_that_were_all_polled_add_none(plays: list[Real], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        poll(history, plays)
        once = [play.played_at for play in history.counted()]
        for _ in range(3):
            rows = [play.exported for play in told_by(plays, data)]
            rows += [play.in_account_data for play in told_by(plays, data)]
            history.load(*data.draw(st.permutations(rows)))
        assert [play.played_at for play in history.counted()] == once


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_importing_again_writes_nothing(plays: list[Real], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        poll(history, told_by(plays, data))
        rows = [play.exported for play in told_by(plays, data)]
        rows += [play.in_account_data for play in told_by(plays, data)]
        history.load(*rows)
        poll(history, told_by(plays, data))
        once, files = history.counted(), history.archive.files()
        report = history.load(*data.draw(st.permutations(rows)))
        assert history.counted() == once, "whatever was polled in between"
        assert history.archive.files() == files
        assert report.archived == report.plays


@settings(max_examples=40, deadline=None)
@given(histories(), st.data())
def test_the_order_of_rows_and_files_does_not_matter(plays: list[Real], data: st.DataObject) -> None:
    polled = told_by(plays, data)
    rows = [play.exported for play in told_by(plays, data)] + [play.in_account_data for play in told_by(plays, data)]
    found = []
    for order in (rows, data.draw(st.permutations(rows))):
        with tempfile.TemporaryDirectory() as folder:
            history = History(Path(folder))
            poll(history, polled)
            history.load(*order)
            found.append(history.counted())
    assert found[0] == found[1]


def on_repeat(rng: random.Random) -> list[Real]:
    """Four days of two songs, heard whole again and again: no play differs from another but in when it ended.

    Some were heard offline and reported hours later; ``stamp`` is the end, nothing is polled.
    """
    now, plays = BEGINNING - timedelta(days=3), []
    lengths = {"a": 180_000, "b": 61_000}
    while now < BEGINNING + timedelta(days=1):
        now += timedelta(minutes=rng.choice([0, 0, 1, 30, 300, 700]))
        track = rng.choice("aab")
        now += timedelta(milliseconds=lengths[track])
        late = rng.choice([None, None, None, 40, 3_600, 36_000])
        reported = None if late is None else now + timedelta(seconds=late)
        plays.append(Real(now, track, lengths[track], now, reported))
    return plays


@pytest.mark.parametrize("is_sound", [True, False], ids=["sound offline times", "no offline times"])
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.data())
def test_a_listener_on_repeat_loses_no_play_where_an_export_ends_at_noon(
    is_sound: bool, seed: int, data: st.DataObject
) -> None:
    """Where offline plays have no sound time, some may count twice, but none is taken for its neighbour."""
    rng = random.Random(seed)
    plays = on_repeat(rng)
    noon = BEGINNING.replace(hour=12, minute=0)
    first, last = (noon + timedelta(days=rng.randrange(-3, 2)) for _ in range(2))
    is_account_later = rng.random() < 0.5
    told_at = [play.reported or play.ended for play in plays]
    if is_account_later:
        whole = [play for play, told in zip(plays, told_at, strict=True) if told < last]
        minutes = [play for play in plays if play.ended >= first]
    else:
        whole = [play for play, told in zip(plays, told_at, strict=True) if told >= first]
        minutes = [play for play in plays if play.ended < last]
    no_time: dict[str, Any] = {} if is_sound else {"offline_timestamp": 0}
    rows = [play.exported | (no_time if play.reported else {}) for play in whole]
    account_rows = [play.in_account_data for play in minutes]
    # Without a time of their own, plays that were reported at once are one.
    ends = sorted((play.track, (play.reported if not is_sound else None) or play.ended) for play in whole)
    at_once = sum(one[0] == other[0] and other[1] - one[1] < timedelta(seconds=31) for one, other in pairwise(ends))
    told = len({play.ended for play in [*whole, *minutes]})
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder))
        for export in data.draw(st.permutations([rows, account_rows, rows + account_rows])):
            history.load(*export)
            files = history.archive.files()
            history.load(*export)
            assert history.archive.files() == files
        once = history.counted()
        assert told - (0 if is_sound else at_once) <= len(once)
        assert not is_sound or len(once) == told
