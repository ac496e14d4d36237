"""The keys of songs and albums: which names are the same, and that they stay what they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.song import UNKNOWN_NAME, album_key, folded, is_synthetic, song_key


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Beet It", "  beet\tIT "),
        ("Straße", "STRASSE"),
        ("Beyonc\u00e9", "BEYONCE\u0301"),
        ("\ufb01ve", "five"),
        ("Ｆｕｌｌ　Ｗｉｄｔｈ", "full width"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("½ Alive", "1\u20442 alive"),
    ],
)
def test_names_that_are_the_same(text: str, same: str) -> None:
    assert folded(text) == folded(same)


@pytest.mark.parametrize(
    ("text", "other"),
    [("Beet It", "Beet It (Live)"), ("Beet It", "Beet It - Remastered"), ("Beet It", "Beetit"), ("Beyonce", "Beyoncé")],
)
def test_names_that_are_not(text: str, other: str) -> None:
    assert folded(text) != folded(other)


@given(st.text(st.characters(codec="utf-8")))
def test_folding_again_changes_nothing(text: str) -> None:
    assert folded(folded(text)) == folded(text)


def test_keys_are_stable_for_ever() -> None:
    # Literal, because tables hold them: a change here would part what the stream writes from what is there.
    assert song_key("s1", "Beet It", "Velvet Turnip") == "names:d3edfde30fa0160973f760"
    assert album_key("Root Songs", "Velvet Turnip") == "names:4631394bde7fc88d8a64a4"


def test_a_key_is_of_its_two_names_in_their_places() -> None:
    keys = {song_key("s1", "A", "B"), song_key("s1", "B", "A"), song_key("s1", "AB", "B"), album_key("A", "B")}
    assert len(keys) == 4
    assert song_key("s1", "A", "B") == song_key("s2", "a", "b")


@pytest.mark.parametrize(
    ("title", "artist"),
    [("One", None), ("One", ""), ("One", " "), ("", "X"), (UNKNOWN_NAME, "X"), ("One", "(Unknown)")],
)
def test_a_track_without_a_real_title_or_artist_has_its_id_for_a_key(title: str, artist: str | None) -> None:
    assert song_key("s1", title, artist) == "s1"


def test_an_album_without_a_name_has_no_key_and_one_without_an_artist_has() -> None:
    assert album_key(None, "X") is None
    assert album_key("", "X") is None
    assert album_key("Red", None) == album_key("RED", "")
    assert is_synthetic(album_key("Red", None) or "")
