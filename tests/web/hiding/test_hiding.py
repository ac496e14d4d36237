"""What is hidden: which links say it, where it is kept, and the command."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.failure import Failure
from tests.warehouse.listening import listening_in
from web.hiding import command
from web.hiding.hidden import Hidden
from web.hiding.links import key_of

TRACK = "https://open.spotify.com/track/6rqhFgbbKwnb9MLmUQDhG6"


@pytest.mark.parametrize(
    ("link", "key"),
    [
        (TRACK, "track:6rqhFgbbKwnb9MLmUQDhG6"),
        (f"  {TRACK}?si=abc&pi=d ", "track:6rqhFgbbKwnb9MLmUQDhG6"),
        ("https://open.spotify.com/intl-fr/artist/4Z8W4fKeB5YxbusRsdQVPb", "artist:4Z8W4fKeB5YxbusRsdQVPb"),
        ("https://open.spotify.com/album/1DFixLWuPkv3KT3TnV35m3", "album:1DFixLWuPkv3KT3TnV35m3"),
        ("https://open.spotify.com/playlist/37i9dQ", "context:spotify:playlist:37i9dQ"),
        ("spotify:track:abc", "track:abc"),
        ("spotify:playlist:abc", "context:spotify:playlist:abc"),
        ("http://localhost:8723/song/names:ab%2Fc", "track:names:ab/c"),
        ("https://music.example/heavy/artist/names:x?user=ana", "artist:names:x"),
        ("/album/names:x", "album:names:x"),
    ],
)
def test_links(link: str, key: str) -> None:
    assert key_of(link) == key


@pytest.mark.parametrize(
    "link",
    ["", "abc", "https://open.spotify.com/", "https://open.spotify.com/user/abc", "https://open.spotify.com/track/a/b",
     "https://open.spotify.com/track/a'b", "spotify:user:a", "http://localhost:8723/month/2026-11", "ftp://a/song/b"],
)  # fmt: skip
def test_what_is_no_such_link(link: str) -> None:
    with pytest.raises(Failure, match="is no link to a song"):
        key_of(link)


def test_each_listener_has_a_list_of_their_own_which_is_nobody_elses_to_read(tmp_path: Path) -> None:
    hidden = Hidden(str(tmp_path / "state"))
    assert hidden.keys("ana") == ()
    assert hidden.add("ana", "track:b", "B")
    assert hidden.add("ana", "artist:a", "A")
    assert not hidden.add("ana", "track:b", "another link")
    assert hidden.add("bo", "track:b", "B")
    assert hidden.keys("ana") == ("artist:a", "track:b")
    assert hidden.links("ana") == {"track:b": "B", "artist:a": "A"}
    assert hidden.remove("bo", "track:b")
    assert not hidden.remove("bo", "track:b")
    assert hidden.keys("bo") == ()
    assert stat.S_IMODE(Path(hidden.path("ana")).stat().st_mode) == 0o600


def test_of_many_who_hide_at_once_none_is_lost(tmp_path: Path) -> None:
    hidden = Hidden(str(tmp_path))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: hidden.add("ana", f"track:{number}", ""), range(30)))
    assert len(hidden.keys("ana")) == 30


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    hidden = Hidden(str(tmp_path))
    hidden.add("ana", "track:a", "A")
    for text in ("", "[]", '{"hidden": []}', '{"hidden": 1}'):
        Path(hidden.path("ana")).write_text(text)
        with pytest.raises(Failure, match="is damaged; remove it"):
            hidden.keys("ana")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listening_in(tmp_path / "warehouse")
    home = f"--home={tmp_path}"
    assert command.main(["list", home]) == 0
    assert capsys.readouterr().err == "nothing is hidden\n"
    assert command.main(["add", TRACK, home]) == 0
    assert f"{TRACK} is hidden from listener's figures" in capsys.readouterr().out
    assert Hidden(str(tmp_path / "state")).keys("listener") == ("track:6rqhFgbbKwnb9MLmUQDhG6",)
    assert command.main(["list", home]) == 0
    assert capsys.readouterr().out == f"{TRACK}\n"
    assert command.main(["remove", TRACK, home]) == 0
    assert command.main(["remove", TRACK, home]) == 1
    assert "was not hidden; heavy-rotation hide list says what is" in capsys.readouterr().err
    assert command.main(["add", "nonsense", home]) == 1
    assert "is no link" in capsys.readouterr().err


@pytest.mark.parametrize("line", [[], ["add"], ["list", "a"], ["show"], ["add", "a", "b"]])
def test_a_wrong_command_line(line: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(line)
    assert ended.value.code == 2
