"""What watching asks Spotify for is in Spotify's API file, path and parameters, where the file is present."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from demo.spotify_library import Library
from tests.demo.test_spotify import OPENAPI
from tests.producer.test_watching import LIST, Watching, playlist, watching
from tests.standins.spotify import spotify

__all__ = ["spotify", "watching"]


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="Spotify's API file is not checked: PyYAML is not installed")
    path = Path(os.environ.get("SPOTIFY_OPENAPI", OPENAPI))
    if not path.is_file():
        pytest.skip("Spotify's API file is not checked: no ../shared/spotify-web-api/openapi.yml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return loaded


def parameters_of(file: dict[str, Any], path: str) -> set[str]:
    """The parameters of the file's path that this is; fails where there is none."""
    fits = [known for known in file["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", known), path)]
    assert len(fits) == 1, path
    named = file["components"]["parameters"]
    rows = file["paths"][fits[0]]["get"]["parameters"]
    return {(named[row["$ref"].rpartition("/")[2]] if "$ref" in row else row)["name"] for row in rows}


def test_requests_are_as_the_api_file_says(
    watching: Watching, file: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, Mapping[str, str]]] = []
    answer = Library.answer

    def recording(self: Library, path: str, query: Mapping[str, str], *rest: str) -> dict[str, Any]:
        asked.append((path.removeprefix("/v1"), query))
        return answer(self, path, query, *rest)

    monkeypatch.setattr(Library, "answer", recording)
    playlist(watching.server, 60)
    artist = watching.server.library.catalogue.albums[0][0].artist
    watching.add(f"playlist:{LIST}", f"artist:{artist.id}")
    watching.snapshot()
    asked.append((f"/tracks/{LIST}", {}))
    asked.append((f"/audio-features/{LIST}", {}))
    assert len(asked) == 8
    for path, query in asked:
        assert query.keys() <= parameters_of(file, path), path
