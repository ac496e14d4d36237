"""One user's plays become another's: imported first and polled later, it is one history, each play once."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.domain.play import Play, Source
from pipelines.failure import Failure
from pipelines.storage.archive import Archive
from producer.accounts.grant import Grant
from producer.accounts.stores import FileStore
from producer.importing.renaming import Renamed, Renaming, rename
from producer.polling.poll import poll
from producer.state.cursor import Cursors
from tests.builders import INGESTED_AT, play
from tests.commands import Run
from tests.producer.exports import account, extended, listed, plays_in, write_json
from tests.producer.history import CALENDAR, History

TIMES = [f"2026-05-01T10:{minute:02}:00Z" for minute in range(0, 50, 5)]


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Ten plays of "me", of the extended export, and three of them of account data too."""
    history = History(tmp_path)
    history.load(*(extended(time, "abc"[number % 3]) for number, time in enumerate(TIMES)))
    history.load(*(account(time.replace("T", " ")[:16], "abc"[number % 3]) for number, time in enumerate(TIMES[:3])))
    return history


class Polled:
    """Where polls put plays: the archive."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive

    def publish(self, plays: list[Play], _: object) -> None:
        for one in plays:
            self.archive.write(CALENDAR.month_of(one.played_at), [one])


def poll_ann(history: History, *stamps_and_tracks: tuple[str, str]) -> None:
    items = [listed(stamp, track) for stamp, track in stamps_and_tracks]
    poll(items, "ann", history.cursors, Polled(history.archive), INGESTED_AT + timedelta(days=1))  # type: ignore[arg-type]


def to_ann(history: History, *, dry_run: bool = False) -> Renamed:
    renaming = Renaming("me", "ann", history.archive, str(history.folder / "state"), CALENDAR)
    return rename(renaming, dry_run=dry_run)


def counted(history: History) -> set[tuple[str, str, str]]:
    """What the tables would count: each user and instant once."""
    found = {
        (one.user_id, f"{one.played_at:%H:%M:%S.%f}"): one.track_name for one in plays_in(history.folder / "archive")
    }
    return {(user, at, track) for (user, at), track in found.items()}


def test_all_plays_are_the_others_at_their_instants_and_nothing_else_changes(history: History) -> None:
    history.archive.write(CALENDAR.month_of(INGESTED_AT), [play("2026-05-01T10:00:00Z", user_id="ben")])
    before, copies = counted(history), plays_in(history.folder / "archive")
    assert to_ann(history, dry_run=True).plays == 10
    assert counted(history) == before
    assert to_ann(history).plays == 10
    assert counted(history) == {("ann" if user == "me" else user, at, track) for user, at, track in before}
    after = plays_in(history.folder / "archive")
    assert sorted(one.source for one in after) == sorted(one.source for one in copies)
    assert history.cursors.accounts() == ["ann"]
    assert to_ann(history) == Renamed()


def test_what_is_polled_later_was_imported_before(history: History) -> None:
    before = {at for _, at, _ in counted(history)}
    to_ann(history)
    poll_ann(
        history, ("2026-05-01T10:40:00.750Z", "c"), ("2026-05-01T10:45:00.250Z", "a"), ("2026-05-01T11:00:00Z", "b")
    )
    assert {at for _, at, _ in counted(history)} == before | {"11:00:00.000000"}


def test_what_was_polled_before_is_one_play(history: History) -> None:
    poll_ann(history, ("2026-05-01T10:45:00.250Z", "a"), ("2026-05-01T11:00:00Z", "b"))
    assert len(counted(history)) == 12
    assert to_ann(history).polled == 1
    assert len(counted(history)) == 11
    assert {user for user, _, _ in counted(history)} == {"ann"}


def test_what_another_state_polled_is_one_play_and_that_state_stays(history: History, tmp_path: Path) -> None:
    names = {"track_name": "Track a", "user_id": "ann", "source": Source.RECENTLY_PLAYED}
    history.keep([play("2026-05-01T10:45:00.250Z", "a", **names)])  # type: ignore[arg-type]
    other = Cursors(tmp_path / "other")
    other.are_of(str(tmp_path / "elsewhere"), claims=True)
    renaming = Renaming("me", "ann", history.archive, str(tmp_path / "other"), CALENDAR)
    assert rename(renaming, dry_run=False).has_other_state
    assert len(counted(history)) == 10
    assert other.accounts() == []


@pytest.mark.parametrize("killed_in", ["write_beside", "remove"])
def test_killed_half_way_it_goes_on(history: History, killed_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counted(history)
    history.load(extended("2026-06-01T10:00:00Z"))  # a second month, and so a second file
    before = counted(history)
    real, calls = getattr(Archive, killed_in), []

    def killed(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Archive, killed_in, killed)
        with pytest.raises(KeyboardInterrupt):
            to_ann(history)
    assert {user for user, _, _ in counted(history)} == {"me", "ann"}
    to_ann(history)
    assert counted(history) == {("ann", at, track) for _, at, track in before}


def test_an_import_that_goes_on_beside_it_comes_too(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Archive.write_beside
    later = play("2026-05-02T10:00:00Z", user_id="me")

    def beside(self: Archive, path: str, data: bytes) -> str:
        if later not in plays_in(history.folder / "archive"):
            history.keep([later])
        return real(self, path, data)

    monkeypatch.setattr(Archive, "write_beside", beside)
    to_ann(history)
    assert {one.user_id for one in plays_in(history.folder / "archive")} == {"ann"}


def test_who_was_forgotten_does_not_come_back_under_another_name(history: History) -> None:
    history.archive.marks.add("me", lambda: INGESTED_AT + timedelta(days=3), lambda _: None)
    assert to_ann(history) == Renamed()
    assert {user for user, _, _ in counted(history)} == {"me"}


def test_plays_that_would_stay_out_stay_where_they_are(history: History) -> None:
    history.archive.marks.add("ann", lambda: INGESTED_AT + timedelta(days=3), lambda _: None)
    with pytest.raises(Failure, match="ann was forgotten"):
        to_ann(history)
    assert {user for user, _, _ in counted(history)} == {"me"}


def test_the_command(run: Run, tmp_path: Path) -> None:
    export = write_json(tmp_path / "Streaming_History_Audio_2026_0.json", [extended(time) for time in TIMES])
    places = ("--archive", tmp_path / "archive", "--state", tmp_path / "state", "--logins", tmp_path / "logins")
    assert run("import", export, *places).code == 0
    nobody = run("rename", *places)
    assert (nobody.code, nobody.err) == (
        1,
        "error: whose are the plays to be? Nobody has logged in: say --to NAME, or log in first\n",
    )
    FileStore(tmp_path / "logins").save(Grant("ann", "refresh-ann", INGESTED_AT))
    would = run("rename", *places, "--dry-run")
    assert would.out == f"dry run            10 plays of me to ann, in 1 file of {tmp_path / 'archive'}\n"
    did = run("rename", *places)
    assert did.out.splitlines() == [
        f"renamed            10 plays of me to ann, in 1 file of {tmp_path / 'archive'}",
        "",
        f"next: heavy-rotation rebuild --archive {tmp_path / 'archive'} --warehouse {tmp_path / 'warehouse'} "
        "--months changed",
    ]
    assert {one.user_id for one in plays_in(tmp_path / "archive")} == {"ann"}
    assert run("rename", *places).out == f"there are no plays of me in {tmp_path / 'archive'}\n"
