"""Beam's runner on Dask, with two steps that it lacks: ``--runner=DaskRunner``.

Beam 2.77 knows no ``Impulse`` there, and for ``Reshuffle`` does nothing, so that what comes of one element stays on one
worker. Loaded only where it was asked for: it needs the extra ``dask``.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import dask.bag
from apache_beam import Impulse, Pipeline
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dask import dask_runner
from apache_beam.runners.dask.overrides import _Reshuffle
from apache_beam.runners.dask.transform_evaluator import TRANSLATIONS, DaskBagOp
from apache_beam.runners.runner import PipelineResult

# For a few workers and many alike: a partition is a task, and takes a millisecond.
_PARTITIONS = 16


class DaskRunner(dask_runner.DaskRunner):
    """Runs bounded pipelines on a Dask cluster, ``--dask_client_address``, or on one of this machine's cores.

    ``--dask_npartitions`` is how many tasks a shuffle makes, 16 by default.
    """

    def run_pipeline(self, pipeline: Pipeline, options: PipelineOptions) -> PipelineResult:
        """Hand the pipeline over. Raises OSError where there is no scheduler at the address."""
        TRANSLATIONS[Impulse] = _ImpulseOp
        TRANSLATIONS[_Reshuffle] = _ReshuffleOp
        return super().run_pipeline(pipeline, options)


class _ImpulseOp(DaskBagOp):
    """One element."""

    def apply(self, input_bag: Any, side_inputs: Any = None) -> Any:  # noqa: ARG002
        return dask.bag.from_sequence([b""], npartitions=1)


class _ReshuffleOp(DaskBagOp):
    """The same elements, spread over the workers."""

    def apply(self, input_bag: Any, side_inputs: Any = None) -> Any:  # noqa: ARG002
        partitions = self.bag_kwargs.get("npartitions") or _PARTITIONS
        dealt = input_bag.map_partitions(_deal, partitions)
        return dealt.groupby(_first, npartitions=partitions).map_partitions(_collect)


def _deal(elements: Iterable[Any], partitions: int) -> Iterator[tuple[int, Any]]:
    """One by one, never by chance: what is done again after a worker is gone must go where it went before."""
    return ((number % partitions, element) for number, element in enumerate(elements))


def _first(dealt: tuple[int, Any]) -> int:
    return dealt[0]


def _collect(groups: Iterable[tuple[int, list[tuple[int, Any]]]]) -> list[Any]:
    return [element for _, group in groups for _, element in group]
