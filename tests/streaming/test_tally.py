"""What the stream keeps of a month: the same as a plain tally, in pieces of any order, small, and readable for ever."""

import random
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.domain import ranking
from pipelines.domain.instants import parse, to_millis
from pipelines.domain.play import Artist, Play, Source
from pipelines.streaming import forms
from pipelines.streaming.forms import VERSION, StateError
from pipelines.streaming.tally import Tally
from tests.builders import play, plays

START = parse("2026-10-31T23:00:00Z")
MONTH = START.date()
NOW = parse("2026-11-21T09:00:00Z")

some_plays = st.lists(
    st.builds(
        lambda minute, track, name, source, ingested, album_artist: play(
            START + timedelta(minutes=minute),
            track,
            track_name=name,
            source=source,
            ingested_at=NOW + timedelta(minutes=ingested),
            album_artist_name=album_artist,
            artists=(Artist("The artist", None),),
        ),
        st.integers(0, 20),
        st.sampled_from("abc"),
        st.sampled_from(["One\nname", "Another"]),
        st.sampled_from(Source),
        st.integers(0, 2),
        st.sampled_from([None, "The artist", "Others", ""]),
    ),
    max_size=30,
)


class Kept:
    """A month as a runner keeps it: pieces, read and added to, or replaced by one."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def add(self, some: list[Play], until: int | None = None) -> list[Play]:
        tally = self.tally()
        if until is not None:
            tally.forget(until)
        passed, piece = tally.add([ranking.entry(p) for p in some])
        if piece is not None:
            whole = tally.compacted()
            self.pieces = [whole] if whole else [*self.pieces, piece]
        return [p for p, is_new in zip(some, passed, strict=True) if is_new]

    def tally(self) -> Tally:
        # No runner promises an order.
        return Tally(to_millis(START), random.Random(len(self.pieces)).sample(self.pieces, len(self.pieces)))


def shown(tally: Tally) -> list[dict[str, object]]:
    return list(ranking.snapshots_of("me", MONTH, len(tally), tally.tens(), is_final=False, computed_at=NOW))


def plain(some: list[Play]) -> ranking.Tally:
    tally: ranking.Tally = {}
    for p in some:
        ranking.add(tally, *ranking.entry(p))
    return tally


def of_tally(tally: ranking.Tally) -> list[dict[str, object]]:
    return list(ranking.snapshots("me", MONTH, tally, is_final=False, computed_at=NOW))


@example([plays("a"), plays("b", source=Source.ACCOUNT_EXPORT), plays("xc")])
@given(st.lists(some_plays, max_size=4))
def test_a_tally_that_is_kept_says_what_one_says_that_is_read_again(groups: list[list[Play]]) -> None:
    kept, tally = Kept(), Tally(to_millis(START), [])
    for some in groups:
        _, piece = tally.add([ranking.entry(p) for p in some])
        kept.pieces += [piece] if piece is not None else []
    assert kept.tally().copies() == tally.copies()
    assert kept.tally().size == tally.size == sum(map(len, kept.pieces))


def test_a_month_is_the_same_in_whatever_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SONGS", 0)
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SMALL", 2)
    for seed in range(60):
        rng = random.Random(seed)
        kept, known = Kept(), []
        tally = kept.tally()
        for _ in range(8):
            some = [
                play(
                    START + timedelta(minutes=rng.randrange(20)),
                    rng.choice("abcd"),
                    track_name=f"Song {rng.randrange(30)}",
                    source=rng.choice(list(Source)),
                    ingested_at=NOW + timedelta(minutes=rng.randrange(3)),
                )
                for _ in range(rng.randrange(1, 5))
            ]
            known += some
            _, piece = tally.add([ranking.entry(p) for p in some])
            assert shown(tally) == of_tally(plain(known)), f"seed {seed}"
            if whole := tally.compacted():
                kept.pieces = [whole]
            elif piece is not None:
                kept.pieces.append(piece)
            assert shown(kept.tally()) == of_tally(plain(known)), f"seed {seed}"
            for made in forms.unpacked(kept.pieces):
                assert made.marks in (b"", forms.marks_of_lines(made.lines)), f"seed {seed}"
            # A bundle keeps it as it is, the next one reads what was kept.
            if whole or rng.random() < 0.5:
                tally = kept.tally()


@given(some_plays, st.integers(1, 7), st.integers(0, 3))
def test_it_counts_as_a_plain_tally_does(some: list[Play], together: int, least: int) -> None:
    kept = Kept()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipelines.streaming.tally._LEAST_SMALL", least)  # so that there are large pieces
        for start in range(0, len(some), together):
            kept.add(some[start : start + together])
    assert shown(kept.tally()) == of_tally(plain(some))


@given(some_plays, st.integers(0, 3))
def test_what_passes_is_new_or_preferred_to_all_before(some: list[Play], least: int) -> None:
    kept = Kept()
    known: dict[object, object] = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipelines.streaming.tally._LEAST_SMALL", least)
        for p in some:
            is_new = p.played_at not in known or p.preference < known[p.played_at]  # type: ignore[operator]
            assert kept.add([p]) == ([p] if is_new else [])
            if is_new:
                known[p.played_at] = p.preference


@given(some_plays, st.integers(0, 1), st.integers(0, 3))
def test_what_was_forgotten_is_left_out_and_hides_nothing_newer(some: list[Play], until: int, least: int) -> None:
    kept = Kept()
    instant = to_millis(NOW) + until * 60_000
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipelines.streaming.tally._LEAST_SMALL", least)
        kept.add(some)
        newer = [p for p in some if to_millis(p.ingested_at) > instant]
        kept.add(newer, until=instant)
        tally = kept.tally()
        tally.forget(instant)
    assert shown(tally) == of_tally(plain(newer))


def a_listener(count: int, songs: int) -> list[Play]:
    """Plays with ids, names and addresses as long as Spotify's, which do not compress."""
    rng = random.Random(7)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

    def spotifys() -> str:
        return "".join(rng.choices(letters, k=22))

    known = [
        {
            "track_id": spotifys(),
            "track_name": f"A song of usual length {n}",
            "artists": (Artist(f"An artist {n}", spotifys()),),
            "album_id": spotifys(),
            "album_name": f"The album {n}",
            "album_artist_name": f"An artist {n}",
            "album_image_url": f"https://i.scdn.co/image/ab67616d0000b273{rng.getrandbits(96):024x}",
        }
        for n in range(songs)
    ]
    minutes = sorted(rng.sample(range(29 * 24 * 60), count))
    return [
        play(START + timedelta(minutes=m), **known[n % songs] | {"ingested_at": START + timedelta(minutes=m + 20)})
        for n, m in enumerate(minutes)
    ]


def test_a_play_takes_few_bytes_and_a_song_is_there_once() -> None:
    kept = Kept()
    some = a_listener(2_000, 400)
    for start in range(0, len(some), 3):
        kept.add(some[start : start + 3])
    size = sum(map(len, kept.pieces))
    songs = sum(piece.count(b"https://") for piece in kept.pieces)
    assert songs == 400
    # Instant and preference, which say whether a play is new, take ten of the fourteen bytes.
    assert size < 2_000 * 70
    assert size - 2_000 * 10 < 2_000 * 60


def test_a_batch_writes_what_is_new_not_what_the_month_has() -> None:
    kept, written = Kept(), 0
    some = a_listener(3_000, 300)
    kept.add(some[:2_900])
    before = set(kept.pieces)
    for p in some[2_900:]:
        kept.add([p])
        written += sum(len(piece) for piece in kept.pieces if piece not in before)
        before |= set(kept.pieces)
    assert written < 100 * 60


@pytest.mark.parametrize("least", [0, 128])
def test_state_of_the_first_form_is_read(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # As it lies in a job that runs: never to be changed, whatever forms come.
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SONGS", least)
    pieces = [bytes.fromhex(text) for text in FIRST_FORM]
    first = plays("aab", start="2026-11-02T08:00:00Z")
    known = [*first, play("2026-11-03T08:00:00Z")]
    assert shown(Tally(to_millis(START), pieces)) == of_tally(plain(known))
    kept = Kept()
    kept.pieces = pieces
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SMALL", 0)
    more = plays("xyb", start="2026-11-04T08:00:00Z")
    assert kept.add([*more, *known]) == more
    assert [piece[:2] for piece in kept.pieces] == [bytes([VERSION, True])]
    assert shown(kept.tally()) == of_tally(plain([*known, *more]))


FIRST_FORM = [
    (
        "01010000030000000000000080be1407e0a8150740931607000000000000000001000000807a55fd807a55fd807a55fda101"
        "a101a1015b2261222c22547261636b2061222c226172746973742d61222c22417274697374206f662061222c22616c62756d"
        "2d61222c22416c62756d206f662061222c302c6e756c6c5d0a5b2262222c22547261636b2062222c226172746973742d6222"
        "2c22417274697374206f662062222c22616c62756d2d62222c22416c62756d206f662062222c302c6e756c6c5d"
    ),
    (
        "010000000100000002000000801a3b0c02000000807a55fda1015b227431222c22547261636b207431222c22617274697374"
        "2d7431222c22417274697374206f66207431222c22616c62756d2d7431222c22416c62756d206f66207431222c302c6e756c"
        "6c5d"
    ),
]


@pytest.mark.parametrize("least", [0, 128])
@pytest.mark.parametrize("form", [2, 3, 4])
def test_state_of_a_later_form_is_read(form: int, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert VERSION == 4
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SONGS", least)
    pieces = [bytes.fromhex(text) for text in {2: SECOND_FORM, 3: THIRD_FORM, 4: FOURTH_FORM}[form]]
    known = [*plays("aab", start="2026-11-02T08:00:00Z"), play("2026-11-03T08:00:00Z")]
    tally = Tally(to_millis(START), pieces)
    assert shown(tally) == shown(Tally(to_millis(START), reversed(pieces))) == of_tally(plain(known))
    # The marks that lie in it are those that are made of texts now.
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SMALL", 0)
    made_anew = Tally(to_millis(START), [bytes.fromhex(text) for text in FIRST_FORM])
    assert tally.compacted() == made_anew.compacted()


SECOND_FORM = [
    (
        "02010000030000000200000080be1407e0a8150740931607000000000000000001000000807a55fd807a55fd807a55fda101"
        "a101a10143beb7e8f9efbe71521d2fd57a816eaf7a20e836c071e1afe184cae05bd5c379df70182a652111b3d6a06852c9f1"
        "a4fe5b2261222c22547261636b2061222c226172746973742d61222c22417274697374206f662061222c22616c62756d2d61"
        "222c22416c62756d206f662061222c302c6e756c6c5d0a5b2262222c22547261636b2062222c226172746973742d62222c22"
        "417274697374206f662062222c22616c62756d2d62222c22416c62756d206f662062222c302c6e756c6c5d"
    ),
    (
        "020000000100000002000000801a3b0c02000000807a55fda1015b227431222c22547261636b207431222c22617274697374"
        "2d7431222c22417274697374206f66207431222c22616c62756d2d7431222c22416c62756d206f66207431222c302c6e756c"
        "6c5d"
    ),
]

THIRD_FORM = [
    (
        "03010000030000000200000080be1407e0a8150740931607000000000000000001000000807a55fd807a55fd807a55fda101"
        "a101a10143beb7e8f9efbe71521d2fd57a816eaf7a20e836c071e1afe184cae05bd5c379df70182a652111b3d6a06852c9f1"
        "a4fe5b2261222c22547261636b2061222c22616c62756d2d61222c22416c62756d206f662061222c302c6e756c6c2c226172"
        "746973742d61222c22417274697374206f662061225d0a5b2262222c22547261636b2062222c22616c62756d2d62222c2241"
        "6c62756d206f662062222c302c6e756c6c2c226172746973742d62222c22417274697374206f662062225d"
    ),
    (
        "030000000100000002000000801a3b0c02000000807a55fda1015b227431222c22547261636b207431222c22616c62756d2d"
        "7431222c22416c62756d206f66207431222c302c6e756c6c2c226172746973742d7431222c22417274697374206f66207431"
        "225d"
    ),
]

FOURTH_FORM = [
    (
        "0401000003000000000000000200000080be1407e0a8150740931607000000000000000001000000807a55fd807a55fd807a"
        "55fda101a101a10143beb7e8521d2fd57a20e836e184cae0df70182ad6a06852f9efbe717a816eafc071e1af5bd5c3796521"
        "11b3c9f1a4fe5b2261222c22547261636b2061222c22616c62756d2d61222c22416c62756d206f662061222c302c6e756c6c"
        "2c226172746973742d61222c22417274697374206f662061225d0a5b2262222c22547261636b2062222c22616c62756d2d62"
        "222c22416c62756d206f662062222c302c6e756c6c2c226172746973742d62222c22417274697374206f662062225d"
    ),
    (
        "04000000010000000200000001000000801a3b0c02000000807a55fda10137ae545b0c70e181a1798f04c911846396de2fa2"
        "449f35975b227431222c22547261636b207431222c22616c62756d2d7431222c22416c62756d206f66207431222c302c6e75"
        "6c6c2c226172746973742d7431222c22417274697374206f66207431225d"
    ),
]


@pytest.mark.parametrize("form", [1, 2, 3])
def test_state_of_several_forms_is_one_month(form: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SONGS", 0)
    kept = Kept()
    kept.pieces = [bytes.fromhex(text) for text in {1: FIRST_FORM, 2: SECOND_FORM, 3: THIRD_FORM}[form]]
    more = plays("xyb", start="2026-11-04T08:00:00Z")
    assert kept.add(more) == more
    known = [*plays("aab", start="2026-11-02T08:00:00Z"), play("2026-11-03T08:00:00Z"), *more]
    assert sorted(piece[0] for piece in kept.pieces) == [form, form, VERSION]
    assert shown(kept.tally()) == of_tally(plain(known))
    monkeypatch.setattr("pipelines.streaming.tally._LEAST_SMALL", 0)
    anew = Kept()
    anew.add(known)
    assert [kept.tally().compacted()] == anew.pieces


def test_state_of_a_newer_form_is_refused() -> None:
    kept = Kept()
    kept.add(plays("a"))
    with pytest.raises(StateError, match="form 5, and this version knows 4"):
        Tally(to_millis(START), [b"\x05" + kept.pieces[0][1:]])
