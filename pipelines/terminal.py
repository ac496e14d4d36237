"""What may go to a terminal: text, and nothing that steers it."""

import re

# Control characters but line ends and tabs, other line separators, and those that turn the direction of writing.
# What is left of the kind, such as joiners inside a pictogram, belongs to the text.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with what would steer a terminal spelled out: a name in an archive may hold anything."""
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)
