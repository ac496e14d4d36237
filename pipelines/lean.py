"""Libraries without what they load and a process has no use for."""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partialmethod
from types import ModuleType
from typing import Any

from pipelines.lazily import arrows_functions_when_used, beartype_when_needed, for_one_answer, when_used

# Arrow's, for arrays of numbers, functions over a network, files under a key or in another form, and file systems that
# are not this machine's.
_ARROWS_OWN = (
    "numpy", "cloudpickle", "pyarrow._dataset_parquet_encryption", "pyarrow._dataset_orc",
    "pyarrow._azurefs", "pyarrow._gcsfs", "pyarrow._hdfs", "pyarrow._s3fs", "fsspec",
)  # fmt: skip
# Beam loads them if they are installed, and does without if not: half of the time that a rebuild takes to start. They
# are Google Cloud, what speaks to BigQuery by it, and MongoDB.
_CONNECTORS = ("google.cloud", "google.auth", "google.api_core", "apitools", "apache_beam.io.gcp.bigquery", "bson")
# Beam needs these for proxies that want a password, and for dates as texts.
_SELDOM_USED = ("httplib2.auth", "dateutil.parser")

# What is noted on one of Beam's functions that keeps no state.
_STATELESS = "_heavy_rotation_stateless"


def without_arrows_extras() -> None:
    """From now on numpy, and less that Arrow can do without, is not installed here, to Python, unless it is loaded.

    Arrow loads it where it is installed, a quarter of what a query takes, and makes all its functions then. For the
    life of the process, so this is for one that prints one answer.
    """
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    for name in _ARROWS_OWN:
        modules.setdefault(name, None)
    arrows_functions_when_used()
    for_one_answer()


def frugal() -> None:
    """NumPy and Polars that are loaded from now on hold less: for a process that works on few cores.

    NumPy has no threads for large matrices, which wait for work busily. Polars gives memory back, and has two places to
    take it from, not four for each core: a fifth less memory, and no more time. What has been free for less than a
    second it keeps: the next files need as much, and the kernel takes time to give it and to clear it.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("_RJEM_MALLOC_CONF", "narenas:2,muzzy_decay_ms:0,dirty_decay_ms:1000")


def with_short_samples() -> None:
    """Beam, which is loaded, looks every ten milliseconds which step of a bundle is at work.

    At the end of a bundle it waits for the look that is under way: by default up to a fifth of a second.
    """
    from apache_beam.runners.worker.statesampler import StateSampler

    StateSampler.__init__ = partialmethod(StateSampler.__init__, sampling_period_ms=10)  # type: ignore[method-assign,assignment]


def remembering() -> None:
    """Beam, which is loaded, works out once what it asks itself again and again while it makes and runs a pipeline.

    These are its options as those of a kind, for which it makes a parser of command lines, 170 times in a rebuild; and
    whether a function keeps state. Together they are a quarter of what a small rebuild takes once all is loaded.
    """
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.transforms import userstate

    plain_view, plain_specs = PipelineOptions.view_as, userstate.get_dofn_specs
    views: dict[Any, PipelineOptions] = {}

    def view_as(options: PipelineOptions, kind: type[Any]) -> Any:
        flags, everything = options._flags, options._all_options
        key = kind, None if flags is None else tuple(flags)
        if key not in views:
            views[key] = plain_view(PipelineOptions(flags), kind)
        view: Any = object.__new__(kind)
        vars(view).update(vars(views[key]), _all_options=everything)
        for name, value in vars(view._visible_options).items():
            if name not in everything:
                everything[name] = list(value) if isinstance(value, list) else value
        return view

    def get_dofn_specs(function: Any) -> Any:
        if vars(function).get(_STATELESS):
            return set(), set()
        specs = plain_specs(function)
        if not any(specs):
            vars(function)[_STATELESS] = True
        return specs

    PipelineOptions.view_as = view_as  # type: ignore[method-assign,assignment]
    userstate.get_dofn_specs = get_dofn_specs  # type: ignore[assignment]


@contextmanager
def for_a_rebuild(arguments: Sequence[str]) -> Iterator[None]:
    """All of this that becomes a rebuild, which is loaded meanwhile."""
    frugal()
    with without_connectors(arguments), when_used(*_SELDOM_USED), beartype_when_needed():
        yield
    with_short_samples()
    remembering()


@contextmanager
def without_connectors(arguments: Sequence[str]) -> Iterator[None]:
    """Where a command's arguments name nothing beyond this machine, Beam that is loaded meanwhile has no connectors.

    For the life of the process, so this is for one that runs a single command. All but Beam can load the hidden
    packages afterwards, as ever.
    """
    hidden: list[str] = []
    if not any("://" in one or one.startswith("--runner") for one in arguments):
        hidden = [name for name in _CONNECTORS if name not in sys.modules]
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    for name in hidden:
        modules[name] = None  # to Python, not installed
    silence = logging.NullHandler()  # of what Beam finds missing, it warns
    if hidden:
        logging.root.addHandler(silence)
    try:
        yield
    finally:
        logging.root.removeHandler(silence)
        for name in hidden:
            del sys.modules[name]
