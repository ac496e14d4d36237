"""The rebuild over Beam's portable protocol, on Prism: the answers of the local runner."""

from pathlib import Path

import pytest

from benchmarks.answers import check_same_tables
from benchmarks.clusters import prism_options
from tests.engines.rebuilds import Rebuilds, Rebuilt, check_that_a_broken_file_is_told, said_of_plays

OPTIONS = prism_options() or []
pytestmark = [
    pytest.mark.long,
    pytest.mark.xdist_group("engines"),
    pytest.mark.skipif(not OPTIONS, reason="Beam's Prism is not installed: make prism, which needs go"),
]


def test_prism_gives_the_answers_of_the_local_runner(rebuilds: Rebuilds, local: Rebuilt) -> None:
    rebuilt = rebuilds.run("on prism", *OPTIONS)
    assert rebuilt.exit_code == 0, rebuilt.said
    check_same_tables(str(local.warehouse), str(rebuilt.warehouse), "Prism")
    assert said_of_plays(rebuilt.said) == said_of_plays(local.said)


def test_a_file_that_cannot_be_read_is_told_as_by_the_local_runner(tmp_path: Path, rebuilds: Rebuilds) -> None:
    check_that_a_broken_file_is_told(rebuilds, tmp_path, *OPTIONS)
