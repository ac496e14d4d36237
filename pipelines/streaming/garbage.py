"""Python's search for garbage, in a process that takes plays by the thousand."""

import gc
from functools import cache

# Python's own is 700. What these objects hold is some twenty megabytes, if all of them are garbage.
_OBJECTS_UNTIL_A_SEARCH = 200_000


@cache  # once a process, however many steps begin there
def search_seldom() -> None:
    """Look for garbage after more objects, and never through what is loaded by now.

    While a bundle is worked on its plays are no garbage, and each search goes through all of them, and now and then
    through all that Beam has loaded: a third of the CPU of a play. For the life of the process.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_UNTIL_A_SEARCH)
