"""Durations as people write them: 90s, 10m, 1h."""

import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> timedelta:
    """``90s``, ``10m`` or ``1h``, a second at least. Raises ValueError, whose text is for the user."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    if not match:
        raise ValueError(f"{text!r} is not a duration; write it as 90s, 10m or 1h")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def duration_text(duration: timedelta) -> str:
    """Its two largest units, rounded down: ``1 h 30 min``, ``10 min``, ``3 d 2 h``."""
    seconds, parts = int(duration.total_seconds()), []
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
