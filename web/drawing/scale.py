"""Which numbers are drawn how: steps of a tint, ends of an axis, in round numbers."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from web.drawing.figure import Key

_ROUND = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_STEPS = 4


def rounded_up(number: float) -> int:
    """The next round whole number that is not less; 1 at least."""
    power = 1
    while True:
        for digit in _ROUND:
            if digit * power >= number and digit * power == int(digit * power):
                return int(digit * power)
        power *= 10


def steps(values: Iterable[int]) -> tuple[int, ...]:
    """From where on each of up to four tints is used. A single large number does not make all others pale.

    The first is 1: a zero has its own tint.
    """
    counted = sorted(value for value in values if value > 0)
    if not counted:
        return (1,)
    # The upper tint is for the upper tenth or so.
    size = rounded_up(counted[int(len(counted) * 0.9)] / _STEPS)
    if size == 1:
        return tuple(range(1, min(_STEPS, counted[-1]) + 1))
    return (1, *(size * number for number in range(1, _STEPS) if size * number <= counted[-1]))


def tint(value: int, bounds: Sequence[int]) -> int:
    """The tint of a value: 0 for none, else which of the steps it has reached."""
    return sum(value >= bound for bound in bounds)


def keys(bounds: Sequence[int], what: str) -> list[Key]:
    """The legend of the steps, the last with what is counted: ``0``, ``1–4``, ``5 and more plays``."""
    named = [Key("q0", "0")]
    for number, (low, high) in enumerate(pairwise(bounds), start=1):
        named.append(Key(f"q{number}", f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}"))
    named.append(Key(f"q{len(bounds)}", f"{bounds[-1]:,} and more {what}"))
    return named
