"""Questions: queries in BigQuery SQL that take parameters, one in a file, and what each says of its parameters.

The head of a file is its meaning. A parameter is a line of it, ``--   @limit  INT64 = 10  how many``: name, type, what
it is where it is not given, and a few words. ``-- Months:`` says which partitions of ``plays`` the query reads:
``all``, ``none``, ``ends`` (a listener's first and last), ``until @to``, or spans between two parameters, ``@from to
@to``, with ``before`` and ``after`` where the month before and the next are read too.

What several questions share is in ``parts``, and put in where a query has its name, ``${heard}``; ``${before_heard}``
is the same over an earlier span, @before_from to @before_to.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from string import Template
from typing import Literal, cast

from pipelines.domain.month import following, preceding
from pipelines.tables import DATASET

Value = str | int | date | datetime | None | tuple[str, ...] | tuple[date, ...]
Months = tuple[tuple[date, date], ...]
_FILES = resources.files(__name__)
_PARAMETER = re.compile(r"^--   @(?P<name>\w+) +(?P<kind>[A-Z0-9<>]+)(?: = (?P<default>\S+))? ", re.MULTILINE)
_MONTHS = re.compile(r"^-- Months: (?P<spans>.*)$", re.MULTILINE)
_SPAN = re.compile(r"(?P<before>before )?@(?P<first>\w+) to (?P<after>after )?@(?P<last>\w+)")
_UNTIL = re.compile(r"until @(?P<last>\w+)")
_TABLE = re.compile(r"\$\{dataset\}\.(\w+)")
# What the parts define, and which of it another span has too, under names that begin with before_.
_DEFINED = re.compile(r"^(\w+) AS \($", re.MULTILINE)


def _stems(folder: resources.abc.Traversable) -> tuple[str, ...]:
    return tuple(sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql")))


QUESTIONS = _stems(_FILES)
# What the names of a part begin with where it stands in a query a second time.
PREFIX = "before_"


@dataclass(frozen=True)
class Parameter:
    """One of a question's. ``kind`` is BigQuery's type; ``default`` is what it is where it is not given."""

    name: str
    kind: str
    is_required: bool
    default: Value


def question_sql(question: str, dataset: str = DATASET) -> str:
    """A question's query in BigQuery SQL, with named parameters (``@user_id``), which its comment explains."""
    return Template(_text(question)).substitute(dataset=dataset)


@cache
def parameters_of(question: str) -> Mapping[str, Parameter]:
    """A question's parameters by name, in the order of its comment."""
    return {found["name"]: _parameter(found) for found in _PARAMETER.finditer(_text(question))}


def bound(question: str, given: Mapping[str, Value]) -> dict[str, Value]:
    """The values of all of a question's parameters. Raises TypeError for one that is unknown or missing."""
    known = parameters_of(question)
    if unknown := sorted(set(given) - set(known)):
        raise TypeError(f"the question {question} has no parameter {unknown[0]}; it has {', '.join(known)}")
    if missing := [name for name, parameter in known.items() if parameter.is_required and name not in given]:
        raise TypeError(f"the question {question} needs {', '.join(missing)}")
    return {name: given.get(name, parameter.default) for name, parameter in known.items()}


def months_read(question: str, values: Mapping[str, Value]) -> Months | Literal["all", "ends"]:
    """Which months of ``plays`` a query reads, as spans of first days, both in them."""
    text, until, spans = _months(question)
    if text in ("all", "ends"):
        return cast('Literal["all", "ends"]', text)
    if until:
        return ((date.min, _first_day(values[until["last"]])),)
    return tuple(_span(span, values) for span in spans)


@cache
def _months(question: str) -> tuple[str, re.Match[str] | None, tuple[re.Match[str], ...]]:
    """What a file says of its months: as it stands, and read as an end or as spans."""
    found = _MONTHS.search(_text(question))
    assert found, f"{question}.sql does not say which months it reads"
    text = found["spans"]
    return text, _UNTIL.fullmatch(text), tuple(_SPAN.finditer(text))


def _span(span: re.Match[str], values: Mapping[str, Value]) -> tuple[date, date]:
    first, last = _first_day(values[span["first"]]), _first_day(values[span["last"]])
    return preceding(first) if span["before"] else first, following(last) if span["after"] else last


@cache
def reads_only_plays(question: str) -> bool:
    """Whether ``months_read`` says all that an answer depends on."""
    return set(_TABLE.findall(_text(question))) == {"plays"}


def _first_day(value: Value) -> date:
    assert isinstance(value, date)
    return date(value.year, value.month, 1)


def _parameter(found: re.Match[str]) -> Parameter:
    text = found["default"]
    default = json.loads(text) if text else None
    if found["kind"] in ("DATETIME", "TIMESTAMP"):
        default = datetime.fromisoformat(default) if default else None
    return Parameter(found["name"], found["kind"], text is None, () if default == [] else default)


@cache
def _text(question: str) -> str:
    """The file with its parts in their places; only the dataset's name is left open."""
    if question not in QUESTIONS:
        raise KeyError(question)
    text = _FILES.joinpath(f"{question}.sql").read_text(encoding="utf-8")
    return Template(text).safe_substitute(_parts())


@cache
def _parts() -> dict[str, str]:
    folder = _FILES.joinpath("parts")
    bare = {name: folder.joinpath(f"{name}.sql").read_text(encoding="utf-8").rstrip() for name in _stems(folder)}
    parts = {name: Template(text).safe_substitute(bare) for name, text in bare.items()}
    own = "|".join(name for text in parts.values() for name in _DEFINED.findall(text))
    names = re.compile(rf"(?<![@.'\w])(?:{own})\b")
    return {
        **parts,
        **{
            f"{PREFIX}{name}": re.sub(r"@(from|to)\b", rf"@{PREFIX}\1", _renamed(text, names))
            for name, text in parts.items()
        },
    }


def _renamed(text: str, names: re.Pattern[str]) -> str:
    """A part under other names, so that it can stand in a query twice."""
    lines = text.splitlines()
    return "\n".join(line if line.lstrip().startswith("--") else names.sub(rf"{PREFIX}\g<0>", line) for line in lines)


def described(question: str) -> str:
    """What a question is for: the first sentence of its file."""
    return _text(question).partition("\n")[0].removeprefix("-- ")
