"""A worker of the stream does not look for garbage each time that a few plays are new."""

import gc
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.domain.month import Calendar
from pipelines.storage.forgotten import Marks
from pipelines.streaming.counting import _Count
from pipelines.streaming.garbage import search_seldom
from pipelines.streaming.parsing import _Parse


def now() -> datetime:
    return datetime(2026, 11, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "step",
    [_Parse(now, Marks("nowhere")), _Count(Calendar(), 60, now, Marks("nowhere"))],
    ids=["that parses", "that counts"],
)
def test_a_step_begins_with_a_search_that_is_seldom_and_leaves_out_what_is_loaded(step: Any) -> None:
    before = gc.get_threshold()
    search_seldom.cache_clear()
    gc.set_threshold(700, 10, 10)
    try:
        step.setup()
        assert gc.get_threshold()[0] > 10_000
        assert gc.get_freeze_count() > 10_000
        frozen = gc.get_freeze_count()
        step.setup()
        assert gc.get_freeze_count() <= frozen  # once a process: what comes later may be garbage
    finally:
        gc.set_threshold(*before)
