"""Months without plays between months that have some, and how to fill them."""

from collections.abc import Iterable
from datetime import date
from itertools import pairwise

from pipelines.domain.month import following, month_text, preceding

ASK = "ask for your extended streaming history at https://www.spotify.com/account/privacy/"
# As Spotify sends it, where browsers put it.
EXPORT_FILE = "~/Downloads/my_spotify_data.zip"
_NAMED = 4


def holes(months: Iterable[date]) -> list[tuple[date, date]]:
    """The first and the last month of each hole, oldest first. ``months`` are first days, in any order."""
    return [
        (following(before), preceding(after))
        for before, after in pairwise(sorted(set(months)))
        if following(before) != after
    ]


def holes_text(months: Iterable[date]) -> str:
    """``no plays in 2021-03 to 2021-05, 2022-07``; empty where there is no hole."""
    named = [
        month_text(first) if first == last else f"{month_text(first)} to {month_text(last)}"
        for first, last in holes(months)
    ]
    if not named:
        return ""
    more = f" and in {len(named) - _NAMED} spans more" if len(named) > _NAMED else ""
    return f"no plays in {', '.join(named[:_NAMED])}{more}"


def how_to_fill(options: str = "") -> str:
    """How plays that are missing come into an archive, with the command at the end and its ``options``."""
    return f"{ASK}, then: heavy-rotation import {EXPORT_FILE}{options}"
