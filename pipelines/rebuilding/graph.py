"""The steps of the rebuild: a plan, archive files in, finished files in a staging place, months replaced.

Work goes by columns, and by files: what crosses a shuffle is their names, and no play. Files are listed by the first
step, not by who makes the graph.

It is a chain: what a step is given waits under one key, and what it makes goes on under keys. All goes through
shuffles, and nothing through side inputs, tags or the ends of bundles: Beam's runner on Dask computes the first anew
for each element, and loses the others. There are few steps, since Beam takes ten milliseconds for each.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import Metrics

from pipelines.rebuilding.finishing import Rest, finish_rest, finish_share
from pipelines.rebuilding.planning import Work, make_plan
from pipelines.rebuilding.reading import Read
from pipelines.rebuilding.replacing import Ready, finish, prepare, remove_staged, replace_months
from pipelines.rebuilding.result import Result
from pipelines.rebuilding.sharing import Share, shares_of
from pipelines.rebuilding.snapshots import finish_kinds
from pipelines.rebuilding.target import Staged, Staging, Target

_NAMESPACE = "heavy_rotation"
_READ = Metrics.counter(_NAMESPACE, "plays_read")
_DISTINCT = Metrics.counter(_NAMESPACE, "plays_distinct")
# The key of what goes on to where all of it is brought together.
_TOGETHER = ""

Given = tuple[str, Iterable[Any]]
Made = Iterator[tuple[str, Any]]


def build(pipeline: beam.Pipeline, work: Work, staging: Staging, *, fails: bool, spread: bool = True) -> None:
    """The rebuild's steps, from a plan to replaced months; what came of it is written to ``staging.result``.

    Months replace their old rows only when everything was read and made. Files that cannot be read leave the months
    that they may belong to as they are. ``fails``: where something was left, the last step fails. ``spread``: whether
    there may be several workers; one that is alone takes all at once, and its own threads share it.
    """
    (
        pipeline
        | "Begin" >> beam.Impulse()
        | "Plan" >> beam.FlatMap(_plan, work, spread)
        # Behind a shuffle the plan is the same for all steps, and for each of their tries.
        | "Keep the plan" >> beam.GroupByKey()
        | "Read and finish" >> beam.FlatMap(_finish_share, work, staging, spread)
        | "Collect parts" >> beam.GroupByKey()
        | "Finish parts" >> beam.FlatMap(_finish_rest, work, staging)
        | "Bring together" >> beam.GroupByKey()
        | "Prepare" >> beam.FlatMap(_prepare, work)
        # Months are replaced some of them side by side; a try that is repeated begins with those it failed in.
        | "Spread months" >> beam.GroupByKey()
        | "Replace months" >> beam.FlatMap(_replace_months, work.target)
        | "When all are replaced" >> beam.GroupByKey()
        | "Finish" >> beam.FlatMap(_finish, work, staging)
        # Behind a shuffle: once the files are removed, nothing that needs them is tried again.
        | "Finish once" >> beam.GroupByKey()
        | "Remove staged files" >> beam.FlatMap(_remove_staged, staging, fails)
    )


def _plan(_: bytes, work: Work, spread: bool) -> Made:
    plan = make_plan(work)
    yield _TOGETHER, plan
    for number, share in enumerate(shares_of(plan, spread=spread)):
        yield f"share {number}", share


def _finish_share(given: Given, work: Work, staging: Staging, spread: bool) -> Made:
    for one in given[1]:
        if not isinstance(one, Share):
            yield _TOGETHER, one
            continue
        for made in _counted(finish_share(one, work.archive, staging, work.options.calendar)):
            if isinstance(made, Rest):
                yield f"{made.month} {made.piece}" if spread else "parts", made
            else:
                yield _TOGETHER, made
        for of_kinds in finish_kinds(one, work.archive, staging):
            yield _TOGETHER, of_kinds


def _finish_rest(given: Given, work: Work, staging: Staging) -> Made:
    key, values = given
    if key != _TOGETHER:
        values = _counted(finish_rest(values, work.archive, staging, work.options.calendar))
    for one in values:
        yield _TOGETHER, one


def _counted(outcome: Iterable[Any]) -> Iterator[Any]:
    """The same, counted for who watches the job. What the command tells is an output: some runners count nothing."""
    for one in outcome:
        if isinstance(one, Read):
            _READ.inc(one.plays)
        elif isinstance(one, Staged) and one.table == "play_events":
            _DISTINCT.inc(one.rows)
        yield one


def _prepare(given: Given, work: Work) -> Made:
    ready = prepare(given[1], work)
    yield _TOGETHER, ready
    for n in range(0, len(ready.months), work.target.together):
        yield f"months {n}", ready.months[n : n + work.target.together]


def _replace_months(given: Given, target: Target) -> Made:
    for one in given[1]:
        for made in [one] if isinstance(one, Ready) else replace_months(one, target):
            yield _TOGETHER, made


def _finish(given: Given, work: Work, staging: Staging) -> Made:
    yield _TOGETHER, finish(given[1], work, staging)


def _remove_staged(given: tuple[str, Iterable[Result]], staging: Staging, fails: bool) -> Iterable[None]:
    for result in given[1]:
        remove_staged(result, staging, fails)
    return ()
