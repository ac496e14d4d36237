"""Beam's runner on Dask, with two steps that it lacks: ``--runner=DaskRunner``.

Beam 2.77 knows no ``Impulse`` there, and what comes of one element stays on one worker: ``Reshuffle`` does nothing, and
a shuffle has as many partitions as what goes into it. Loaded only where it was asked for: it needs the extra ``dask``.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask.bag
from apache_beam import Impulse, Pipeline
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dask import dask_runner
from apache_beam.runners.dask.overrides import _Reshuffle
from apache_beam.runners.dask.transform_evaluator import TRANSLATIONS, DaskBagOp
from apache_beam.runners.runner import PipelineResult
from distributed import Client

from pipelines.failure import Failure

# For a few workers and many alike: a partition is a task, and takes a millisecond.
_PARTITIONS = 16
_SECONDS_TO_ANSWER = 10


class DaskRunner(dask_runner.DaskRunner):
    """Runs bounded pipelines on a Dask cluster, ``--dask_client_address``, or on one of this machine's cores.

    ``--dask_npartitions`` is into how many tasks a shuffle parts its work, 16 by default.
    """

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        """Hand the pipeline over."""
        TRANSLATIONS[Impulse] = _ImpulseOp
        TRANSLATIONS[_Reshuffle] = _ReshuffleOp
        return super().run_pipeline(pipeline, options)


def check_cluster(options: PipelineOptions, folders: Sequence[Path]) -> None:
    """Raises Failure where no scheduler answers, it has no workers, or one of them does not see a folder.

    Without an address nothing is asked: the workers will be processes of this machine.
    """
    address = options.view_as(dask_runner.DaskOptions).address
    if not address:
        return
    try:
        client = Client(address, timeout=_SECONDS_TO_ANSWER)
    except (OSError, ValueError) as error:
        raise Failure(
            f"no Dask scheduler answers at {address} ({error}): check --dask_client_address, which is what "
            "`dask scheduler` says when it starts, as in tcp://HOST:8786"
        ) from None
    with client, _probes(folders) as probes:
        answers = client.run(_see, probes, on_error="return")
    # Who went away when it was asked does no work either, and what others see is enough.
    seen: dict[str, list[bool]] = {worker: sees for worker, sees in answers.items() if isinstance(sees, list)}
    if not seen:
        raise Failure(f"the Dask scheduler at {address} has no workers; start one with `dask worker {address}`")
    for worker, sees in seen.items():
        for probe, is_seen in zip(probes, sees, strict=True):
            if not is_seen:
                raise Failure(
                    f"the worker {worker} does not see {probe.parent} as it is here: archive and warehouse have to be "
                    "where all workers reach them, in a folder that all machines share, or at gs:// and bigquery://"
                )


@contextmanager
def _probes(folders: Iterable[Path]) -> Iterator[list[Path]]:
    """A file in each folder, or in the nearest above it that is there, gone at the end."""
    # Of the same name another machine may have another folder: only what was put there just now is proof.
    probes = [
        next(up for up in (folder, *folder.parents) if up.is_dir()) / f".probe-{uuid4().hex}" for folder in folders
    ]
    made: list[Path] = []
    try:
        for probe in probes:
            with suppress(OSError):  # an archive may be read-only
                probe.touch()
                made.append(probe)
        yield made
    finally:
        for probe in made:
            probe.unlink(missing_ok=True)


def _see(probes: Sequence[Path]) -> list[bool]:
    return [probe.exists() for probe in probes]


class _ImpulseOp(DaskBagOp):
    """One element, and room for what will come of it: a shuffle on Dask has as many partitions as what it shuffles."""

    def apply(self, input_bag: Any, side_inputs: Any = None) -> Any:  # noqa: ARG002
        partitions = self.bag_kwargs.get("npartitions") or _PARTITIONS
        return dask.bag.from_sequence(range(partitions), npartitions=partitions).map_partitions(_only_the_first)


class _ReshuffleOp(DaskBagOp):
    """The same elements, dealt to the partitions."""

    def apply(self, input_bag: Any, side_inputs: Any = None) -> Any:  # noqa: ARG002
        dealt = input_bag.map_partitions(_deal, input_bag.npartitions)
        return dealt.groupby(_first).map_partitions(_collect)


def _only_the_first(numbers: Iterable[int]) -> list[bytes]:
    return [b"" for number in numbers if number == 0]


def _deal(elements: Iterable[Any], partitions: int) -> Iterator[tuple[int, Any]]:
    """One by one, never by chance: what is done again after a worker is gone must go where it went before."""
    return ((number % partitions, element) for number, element in enumerate(elements))


def _first(dealt: tuple[int, Any]) -> int:
    return dealt[0]


def _collect(groups: Iterable[tuple[int, list[tuple[int, Any]]]]) -> list[Any]:
    return [element for _, group in groups for _, element in group]
