"""The steps of the rebuild: a plan, archive files in, finished files in a staging place, months replaced.

Work goes by columns, and by files: what crosses a shuffle is their names, and no play. Files are listed by the first
step, not by who makes the graph.

All goes through shuffles, and nothing through side inputs, tags or the ends of bundles: Beam's runner on Dask computes
the first anew for each element, and loses the others. There are few steps, since Beam takes ten milliseconds for each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection

from pipelines.rebuilding.finishing import Rest, finish_rest, finish_share
from pipelines.rebuilding.planning import Plan, Work, make_plan
from pipelines.rebuilding.reading import Read
from pipelines.rebuilding.replacing import Month, Ready, Result, finish, prepare, remove_staged, replace_months
from pipelines.rebuilding.sharing import Share, shares_of
from pipelines.rebuilding.snapshots import finish_kinds
from pipelines.rebuilding.target import Staged, Staging, Target

_NAMESPACE = "heavy_rotation"
_READ = Metrics.counter(_NAMESPACE, "plays_read")
_DISTINCT = Metrics.counter(_NAMESPACE, "plays_distinct")


def build(pipeline: beam.Pipeline, work: Work, staging: Staging, *, fails: bool, spread: bool = True) -> None:
    """The rebuild's steps, from a plan to replaced months; what came of it is written to ``staging.result``.

    Months replace their old rows only when everything was read and made. Files that cannot be read leave the months
    that they may belong to as they are. ``fails``: where something was left, the last step fails. ``spread``: whether
    there may be several workers; one that is alone takes all at once, and its own threads share it.
    """
    planned = (
        pipeline
        | "Begin" >> beam.Impulse()
        | "Plan" >> beam.FlatMap(_plan, work, spread).with_output_types(tuple[int, Any])
        # Behind a shuffle the plan is the same for all steps, and for each of their tries.
        | "Keep the plan" >> beam.GroupByKey()
    )
    read = planned | "Read and finish" >> beam.FlatMap(_finish_share, work, staging)
    rest = (
        read
        | "Parts" >> beam.FlatMap(_rest, spread).with_output_types(tuple[str, Rest])
        | "Collect parts" >> beam.GroupByKey()
        | "Finish parts" >> beam.FlatMap(_finish_rest, work, staging)
    )
    ready = (read, rest) | "Bring together" >> Together() | "Prepare" >> beam.Map(prepare, work)
    ready | "Replace" >> Replace(work, staging, fails)


@dataclass
class Together(beam.PTransform):
    """Bounded collections to one element: the list of all of theirs but parts, in no order."""

    def expand(self, collections: Any) -> PCollection[list[Any]]:
        """A tuple of PCollections; one element even then when all but one of them are empty."""
        return (
            collections
            | "All" >> beam.Flatten()
            | "Under one key" >> beam.FlatMap(_under_one_key).with_output_types(tuple[int, Any])
            | "Collect" >> beam.GroupByKey()
            | "List" >> beam.Map(_values).with_output_types(list[Any])
        )


@dataclass
class Replace(beam.PTransform):
    """What is ready takes the place of what was there, month by month, some of them side by side.

    A try that is repeated begins with the months it failed in, not with the first. At the end it is noted what was
    made.
    """

    work: Work
    staging: Staging
    fails: bool

    def expand(self, ready: PCollection[Ready]) -> PCollection[None]:
        """Ends when all is replaced, noted and cleared up."""
        target = self.work.target
        replaced = (
            ready
            | "Months" >> beam.FlatMap(_groups_of_months, target.at_once).with_output_types(tuple[int, Any])
            | "Spread months" >> beam.GroupByKey()
            | "Replace months" >> beam.FlatMap(_replace_months, target)
        )
        return (
            (ready, replaced)
            | "When all are replaced" >> Together()
            | "Finish" >> beam.Map(_finish, self.work, self.staging).with_output_types(tuple[int, Any])
            # Behind a shuffle: once the files are removed, nothing that needs them is tried again.
            | "Finish once" >> beam.GroupByKey()
            | "Remove staged files" >> beam.Map(_remove_staged, self.staging, self.fails)
        )


def _plan(_: bytes, work: Work, spread: bool) -> Iterator[tuple[int, Plan | Share]]:
    plan = make_plan(work)
    yield 0, plan
    yield from enumerate(shares_of(plan, spread=spread), start=1)


def _finish_share(
    planned: tuple[int, Iterable[Plan | Share]], work: Work, staging: Staging
) -> Iterator[Plan | Read | Staged | Rest]:
    for one in planned[1]:
        if isinstance(one, Plan):
            yield one
        else:
            yield from _counted(finish_share(one, work.archive, staging, work.options.calendar))
            yield from finish_kinds(one, work.archive, staging)


def _rest(one: Plan | Read | Staged | Rest, spread: bool) -> Iterator[tuple[str, Rest]]:
    if isinstance(one, Rest):
        yield f"{one.month} {one.piece}" if spread else "", one


def _finish_rest(rest: tuple[str, Iterable[Rest]], work: Work, staging: Staging) -> Iterator[Read | Staged]:
    yield from _counted(finish_rest(rest[1], work.archive, staging, work.options.calendar))


def _counted(outcome: Iterable[Any]) -> Iterator[Any]:
    """The same, counted for who watches the job. What the command tells is an output: some runners count nothing."""
    for one in outcome:
        if isinstance(one, Read):
            _READ.inc(one.plays)
        elif isinstance(one, Staged) and one.table == "play_events":
            _DISTINCT.inc(one.rows)
        yield one


def _groups_of_months(ready: Ready, at_once: int) -> Iterator[tuple[int, list[Month]]]:
    months = ready.months
    for n in range(0, len(months), at_once):
        yield n, list(months[n : n + at_once])


def _replace_months(groups: tuple[int, Iterable[list[Month]]], target: Target) -> Iterator[Any]:
    for months in groups[1]:
        yield from replace_months(months, target)


def _finish(all_of_it: list[Any], work: Work, staging: Staging) -> tuple[int, Result]:
    return 0, finish(all_of_it, work, staging)


def _remove_staged(results: tuple[int, Iterable[Result]], staging: Staging, fails: bool) -> None:
    for result in results[1]:
        remove_staged(result, staging, fails)


def _under_one_key(value: Any) -> Iterator[tuple[int, Any]]:
    if not isinstance(value, Rest):
        yield 0, value


def _values(keyed: tuple[int, Iterable[Any]]) -> list[Any]:
    return list(keyed[1])
