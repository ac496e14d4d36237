"""A question as ``cutting`` leaves it, and ``keeping`` runs it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A query whose tables ``kept_0``, ``kept_1`` are what the steps of these numbers gave, in this order.

    Its ``$p0``, ``$p1`` are the question's ``parameters``, in this order. ``part`` is the common table that it is, by
    the name in the part's file, and ``names`` are what the parameters are called there.
    """

    sql: str
    parameters: tuple[str, ...]
    reads: tuple[int, ...]
    part: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cut:
    """``steps`` come after those that they read; ``last`` gives the question's answer, ``whole`` does without steps.

    ``question`` is the name of the question's file, if it is one.
    """

    steps: tuple[Step, ...]
    last: Step
    whole: str
    question: str = ""
