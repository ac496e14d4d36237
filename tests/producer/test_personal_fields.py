"""Nothing that an export says of the person, the network or the device is written or said anywhere.

Every such field holds the marker. An import may end well or in any error: neither the archive, unpacked and as it
lies there, nor the state, the report and the messages have the marker in them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Run
from tests.producer.exports import account, episode, extended, plays_in, write_json, write_zip

MARKER = "zq-personal-7731"
PERSONAL = (
    "username",
    "platform",
    "conn_country",
    "ip_addr",
    "ip_addr_decrypted",
    "user_agent_decrypted",
    "city",
    "region",
    "metro_code",
    "longitude",
    "latitude",
    "offline_timestamp",
    "incognito_mode",
    "shuffle",
    "offline",
)
MARKED: dict[str, Any] = dict.fromkeys(PERSONAL, MARKER)


def marked(**more: Any) -> dict[str, Any]:
    return extended(**{"ts": "2026-05-01T10:00:00Z"} | more) | MARKED


def malformed() -> list[Any]:
    """Rows that cannot be read, each for another reason; the marker is also in the fields that are to blame."""
    fields = (
        "ts",
        "ms_played",
        "spotify_track_uri",
        "master_metadata_track_name",
        "master_metadata_album_artist_name",
        "master_metadata_album_album_name",
        "skipped",
        "reason_start",
        "reason_end",
    )
    wrong = [marked() | {field: [MARKER]} for field in fields]
    return [*wrong, marked(ts=MARKER), marked(ts="0001-01-01T00:00:00Z"), MARKER, [MARKER], None]


def whole(folder: Path) -> Path:
    """Both kinds of export, and the account's other files beside them."""
    rows = [marked(), marked(track="b"), marked(ms_played=5), episode() | MARKED, *malformed()]
    minutes = [account() | MARKED, account() | MARKED | {"endTime": MARKER}, account() | {"msPlayed": MARKER}]
    return write_zip(
        folder / "my_spotify_data.zip",
        {
            "Spotify Account Data/StreamingHistory_music_0.json": minutes,
            "Spotify Account Data/StreamingHistory_podcast_0.json": [{"podcastName": MARKER, "msPlayed": 1, **MARKED}],
            "Spotify Account Data/Userdata.json": {"username": MARKER, "email": MARKER, "birthdate": MARKER},
            "Spotify Account Data/Identity.json": {"displayName": MARKER},
            "Spotify Account Data/Payments.json": [{"card": MARKER}],
            "Spotify Extended Streaming History/Streaming_History_Audio_2026_0.json": rows,
            "Spotify Extended Streaming History/Streaming_History_Video_2026.json": [marked()],
        },
    )


def cut_short(folder: Path) -> Path:
    text = json.dumps([marked()] * 3)
    (folder / "endsong_0.json").write_text(text[: text.rindex(MARKER) + 4])
    return folder


def not_json(folder: Path) -> Path:
    (folder / "endsong_0.json").write_text(json.dumps([marked()])[:-2] + MARKER)
    return folder


def no_history(folder: Path) -> Path:
    return write_json(folder / "Userdata.json", {"username": MARKER, "email": MARKER})


def other_rows(folder: Path) -> Path:
    return write_json(folder / "by-hand.json", [{"username": MARKER, "ip_addr": MARKER}])


def damaged(folder: Path) -> Path:
    path = write_zip(folder / "my_spotify_data.zip", {"endsong_0.json": [marked()] * 30})
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "code"),
    [(whole, 0), (cut_short, 1), (not_json, 1), (no_history, 1), (other_rows, 1), (damaged, 1)],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_nothing_personal_is_written_or_said(
    run: Run, tmp_path: Path, make: Callable[[Path], Path], code: int, dry_run: bool
) -> None:
    (tmp_path / "export").mkdir()
    export = make(tmp_path / "export")
    archive, state = tmp_path / "archive", tmp_path / "state"
    ran = run("import", export, "--user", "me", "--archive", archive, "--state", state, *["--dry-run"] * dry_run)
    assert ran.code == code
    assert MARKER not in ran.out + ran.err
    for path in (path for root in (archive, state) for path in root.rglob("*") if path.is_file()):
        assert MARKER.encode() not in path.read_bytes()
    plays = plays_in(archive)
    assert len(plays) == (3 if code == 0 and not dry_run else 0)
    assert MARKER not in repr(plays)
    if code == 0:
        assert ran.out.count("(first: row") > 5, "the rows to blame are counted, without what they hold"
