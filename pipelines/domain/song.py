"""The song and the album: under which key plays of one recording, or of one album, come together.

Spotify gives one recording several track ids (single and album, re-releases, other countries), and exports name albums
without an id. So songs and albums go by their names, folded. A key says only what one copy of one play says of itself.
Which copy a track's or an album's id goes by is decided over a user's month (``ranking``) or over a longer span
(``tables/questions/tens.sql``). Keys are made here and stored with the play, because each SQL engine folds text its own
way.
"""

import hashlib
import unicodedata
from functools import lru_cache

# A play whose name Spotify no longer gives is still a play.
UNKNOWN_NAME = "(unknown)"
_NOT_REAL = ("", UNKNOWN_NAME)
# What synthetic ids begin with, and no id of Spotify's does.
SYNTHETIC = "names:"


def folded(text: str) -> str:
    """Text as names are compared: NFKC, case folded, each run of white space one space, none around.

    Folding again changes nothing. Punctuation stays, and so do "(Live)", "(Remastered)" and "(feat. …)", which are
    songs of their own.
    """
    if not text.isascii():
        # Folding case can take a text out of NFKC.
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.casefold().split())


def song_key(track_id: str, track_name: str, artist_name: str | None) -> str:
    """The song of a track by its title and main artist; by its id alone where it has no real title or artist."""
    return song_of_names(track_name, artist_name) or track_id


@lru_cache(maxsize=1 << 14)
def song_of_names(track_name: str, artist_name: str | None) -> str | None:
    """The key of a title and a main artist; None if one of them is empty or ``(unknown)``."""
    title, artist = folded(track_name), folded(artist_name or "")
    return None if title in _NOT_REAL or artist in _NOT_REAL else synthetic_id("song", artist, title)


@lru_cache(maxsize=1 << 14)
def album_key(album_name: str | None, artist_name: str | None) -> str | None:
    """The key of an album by its name and album artist; None for no album."""
    return synthetic_id("album", folded(artist_name or ""), folded(album_name)) if album_name else None


def synthetic_id(kind: str, *names: str) -> str:
    """A stable id for what Spotify gives no id for: the same kind and names give the same id, for ever."""
    digest = hashlib.sha256("\x1f".join((kind, *names)).encode()).hexdigest()
    return f"{SYNTHETIC}{digest[:22]}"


def is_synthetic(id_: str) -> bool:
    """Whether an id was made from names, and is none of Spotify's."""
    return id_.startswith(SYNTHETIC)
