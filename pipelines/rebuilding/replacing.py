"""From what was read and made to months that are replaced, and to what the command is told of it.

These are the last steps of the pipeline, not of the command that launches it: a template's launcher waits for no job.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from pipelines.domain.month import month_text
from pipelines.domain.snapshots import KINDS
from pipelines.rebuilding.manifests import Contents, Made, Manifest, fingerprints
from pipelines.rebuilding.planning import Plan, Work, may_hold
from pipelines.rebuilding.reading import Read
from pipelines.rebuilding.rejected import bring_rejected
from pipelines.rebuilding.result import Result
from pipelines.rebuilding.target import Staged, Staging, Stamp, Target
from pipelines.storage.archive import Archive, month_of, months_of
from pipelines.storage.files import StorageError, update
from pipelines.storage.snapshots import SnapshotArchive, kind_of
from pipelines.tables import REBUILT, SNAPSHOTS, table_of


@dataclass(frozen=True, slots=True)
class Month:
    """A month whose rows are to be replaced: by files that wait, none where there is nothing of it any more.

    The tables that are ``left`` keep what they have of it, since not all of their files could be read.
    """

    month: date
    staged: tuple[Staged, ...]
    old: Stamp
    computed_at: datetime
    left: frozenset[str] = frozenset()

    @property
    def tables(self) -> tuple[str, ...]:
        """Those that are replaced."""
        return tuple(table for table in REBUILT if table not in self.left)


@dataclass(frozen=True, slots=True)
class Replaced:
    """A month that was replaced, and what is there now."""

    month: date
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Ready:
    """What is to be replaced, what is known of the files that were read, and what can be told already."""

    plan: Plan
    months: tuple[Month, ...]
    contents: Contents
    result: Result


def prepare(all_of_it: Iterable[Plan | Read | Staged], work: Work) -> Ready:
    """The plan, what came of the files, and what was made of them, to what is to be replaced.

    Nothing, where files went meanwhile or what was asked for is not there.
    """
    all_of_it = list(all_of_it)
    (plan,) = (one for one in all_of_it if isinstance(one, Plan))
    reads = [one for one in all_of_it if isinstance(one, Read)]
    staged = _by_month(one for one in all_of_it if isinstance(one, Staged))
    troubles = {path: why for read in reads for path, why in read.troubles.items()}
    contents = {**plan.contents, **{path: months for read in reads for path, months in read.contents.items()}}
    gone = {path for read in reads for path in read.gone}.union(set(plan.listed).difference(work.files()))
    gone |= _not_read_once(plan, reads)
    if gone:
        return Ready(plan, (), {}, Result(gone=len(gone)))
    unsure = {month for path in troubles if not kind_of(path) for month in may_hold(path, plan.contents)}
    left = _left(troubles)
    if refused := _refusal(plan, work, staged.keys() | unsure | left.keys()):
        return Ready(plan, (), {}, Result(refused=refused))
    wanted = set(plan.months) if plan.months is not None else staged.keys() | plan.old.keys()
    months = sorted(wanted - unsure)
    if work.options.months not in ("changed", "late"):  # those are not noted as made from what is there anyway
        work.manifests.forget_months(months)
    of_snapshots = (f"{table} of {month_text(month)}" for month in months for table in sorted(left.get(month, ())))
    result = Result(
        made=_texts(month for month in months if month in staged),
        removed=_texts(month for month in months if month not in staged and month in plan.old and month not in left),
        left=(*_texts(wanted & unsure & (staged.keys() | plan.old.keys() | months_of(plan.listed))), *of_snapshots),
        troubles=tuple(sorted(troubles.values())),
        passed_over=dict(sum((Counter(read.passed_over) for read in reads), Counter())),
        forgotten=sum(read.forgotten for read in reads),
        plays_read=sum(read.plays for read in reads),
        plays=sum(one.rows for month in months for one in staged.get(month, ()) if one.table == "play_events"),
        snapshots=sum(one.rows for month in months for one in staged.get(month, ()) if one.table in SNAPSHOTS),
        snapshots_passed_over=sum(read.snapshots_passed_over for read in reads),
    )
    ready = (
        Month(m, tuple(staged.get(m, ())), plan.old.get(m, {}), plan.now, left.get(m, frozenset())) for m in months
    )
    return Ready(plan, tuple(ready), contents, result)


def _not_read_once(plan: Plan, reads: Sequence[Read]) -> set[str]:
    """Files that were read twice, or not at all, because there were two plans.

    An engine that keeps nothing between steps makes the plan again when the worker that made it is gone, and another
    one where files came meanwhile.
    """
    times = Counter(path for read in reads for path in read.contents)
    known = times.keys() | {path for read in reads for path in (*read.troubles, *read.gone)}
    return {path for path, often in times.items() if often > 1} | set(plan.paths).difference(known)


def replace_months(months: Sequence[Month], target: Target) -> list[Replaced]:
    """Replace some months side by side; what is there of each now. The first error is raised once all have ended."""

    def replace_month(one: Month) -> Replaced:
        return Replaced(one.month, target.replace(one.month, one.tables, one.staged, one.old, one.computed_at))

    with ThreadPoolExecutor(min(len(months), target.at_once)) as threads:
        return list(threads.map(replace_month, months))


def finish(all_of_it: Iterable[Ready | Replaced], work: Work, staging: Staging) -> Result:
    """Once all are replaced: what came meanwhile, the manifest, and what could not be read when polling."""
    all_of_it = list(all_of_it)
    (ready,) = (one for one in all_of_it if isinstance(one, Ready))
    stamps = {one.month: one.stamp for one in all_of_it if isinstance(one, Replaced)}
    plan, result = ready.plan, ready.result
    if result.refused or result.gone:
        return result
    added, gone = _since(work, plan.listed)
    if not gone:
        work.target.catch_up(stamps.keys(), sorted(ready.contents), added, staging)
        gone = _since(work, [*plan.listed, *added])[1]
    if gone:
        return replace(result, gone=gone)
    _note(plan, ready, stamps, work)
    return replace(result, rejected=bring_rejected(work.archive, work.target))


def remove_staged(result: Result, staging: Staging, fails: bool) -> None:
    """Clear up, and leave the result for the command. Raises StorageError for a failure, where nobody reads that."""
    staging.remove()
    data = json.dumps(asdict(result)).encode()
    update(staging.result, lambda _: data)
    if fails and result.failure:
        raise StorageError(result.failure)


def nothing_in(archive: Archive, *, is_asked: bool) -> str:
    """What to say of an archive without plays, or, where somebody named months, without plays of those."""
    snapshots = SnapshotArchive(archive.root)
    known = sorted(months_of([*archive.files(), *(path for kind in KINDS for path in snapshots.files(kind))]))
    if not is_asked or not known:
        return f"there are no plays in {archive.root}; check the path, or import plays into it"
    return f"there are no plays of the months asked for in {archive.root}. Its files are of {', '.join(_runs(known))}"


def _note(plan: Plan, ready: Ready, stamps: Mapping[date, Stamp], work: Work) -> None:
    manifest, calendar = work.manifests.read(), work.options.calendar
    listed = set(plan.listed)
    contents = {path: months for path, months in {**manifest.contents, **ready.contents}.items() if path in listed}
    whole = {one.month: stamps[one.month] for one in ready.months if not one.left}
    files = fingerprints(whole, contents, work.archive.root)
    made = {month: Made(files[month], calendar.is_over(month, plan.now), stamp) for month, stamp in whole.items()}
    noted = Manifest(contents, {**manifest.months, **made})
    if noted != manifest:
        work.manifests.write(noted)


def _left(troubles: Iterable[str]) -> dict[date, frozenset[str]]:
    """The tables that stay as they are of each month, by the files of snapshots that could not be read."""
    left: dict[date, frozenset[str]] = {}
    for path in troubles:
        if (kind := kind_of(path)) and (month := month_of(path)):
            left[month] = left.get(month, frozenset()) | {table_of(kind)}
    return left


def _since(work: Work, listed: Collection[str]) -> tuple[list[str], int]:
    """The files that came to the archive since it was listed, and how many went.

    Whoever removed them meant their plays to go from the tables too.
    """
    there = work.files()
    return sorted(set(there).difference(listed)), len(set(listed).difference(there))


def _refusal(plan: Plan, work: Work, there: Collection[date]) -> str | None:
    if plan.months is None and not there:
        return nothing_in(work.archive, is_asked=False)
    asked = work.options.months
    missing = [month for month in asked if month not in there] if isinstance(asked, tuple) else []
    if not missing:
        return None
    known = sorted(months_of(plan.listed))
    return (
        f"the archive has no plays of {', '.join(_texts(missing))}; nothing was replaced. Its files are of "
        + ", ".join(_runs(known))
    )


def _runs(months: Sequence[date]) -> Iterator[str]:
    """Months in a row as ``2026-01 … 2026-11``."""
    began = last = months[0]
    for month in [*months[1:], None]:
        if month and (month.year - last.year) * 12 + month.month - last.month == 1:
            last = month
            continue
        yield month_text(began) if began == last else f"{month_text(began)} … {month_text(last)}"
        if month:
            began = last = month


def _by_month(made: Iterable[Staged]) -> dict[date, list[Staged]]:
    months: dict[date, list[Staged]] = {}
    for one in sorted(made):
        months.setdefault(one.month, []).append(one)
    for month, files in months.items():
        if any(one.again for one in files):
            months[month] = [one for one in files if one.again]
    return months


def _texts(months: Iterable[date]) -> tuple[str, ...]:
    return tuple(map(month_text, sorted(months)))
