"""Libraries without what they load and a process has no use for."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

# Beam loads them if they are installed, and does without if not: a third of the time that a rebuild takes to start.
_OF_GOOGLE_CLOUD = ("google.cloud", "google.auth", "google.api_core")


def without_numpy() -> None:
    """From now on numpy is not installed here, to Python, unless it is loaded already.

    Arrow loads it where it is installed, a fifth of what a query takes, and does without it where it is not. For the
    life of the process, so this is for one that prints one answer.
    """
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules.setdefault("numpy", None)


@contextmanager
def without_connectors(arguments: Sequence[str]) -> Iterator[None]:
    """Where a command's arguments name nothing beyond this machine, Beam that is loaded meanwhile has no Google Cloud.

    For the life of the process, so this is for one that runs a single command. All but Beam can load Google's
    packages afterwards, as ever.
    """
    hidden: list[str] = []
    if not any("://" in one or one.startswith("--runner") for one in arguments):
        hidden = [name for name in _OF_GOOGLE_CLOUD if name not in sys.modules]
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    for name in hidden:
        modules[name] = None  # to Python, not installed
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
