"""Beam that remembers what it worked out is the same as Beam that does not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
_TOLD = """
import json, sys
from copy import deepcopy
import apache_beam as beam
from apache_beam.options.pipeline_options import *
from apache_beam.transforms import userstate
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from pipelines.lean import remembering

if sys.argv[1] == "remembering":
    remembering()

class Stateful(beam.DoFn):
    def process(self, one, count=beam.DoFn.StateParam(ReadModifyWriteStateSpec("count", beam.coders.VarIntCoder()))):
        yield one

class Stateless(beam.DoFn):
    def process(self, one):
        yield one

class Own(PipelineOptions):
    @classmethod
    def _add_argparse_args(cls, parser):
        parser.add_argument("--archive")
        parser.add_argument("--often", action="append")

kinds = (Own, StandardOptions, DebugOptions, TypeOptions, WorkerOptions, Own, DebugOptions)
told = []
for flags in ([], ["--runner=Direct", "--archive=a", "--experiments=x"], ["--often=1", "--often=2", "--streaming"]):
    first, second = PipelineOptions(flags), PipelineOptions(flags, archive="b")
    for options in (first, second):
        told += [deepcopy(vars(options.view_as(kind)._visible_options)) for kind in kinds]
        told.append(deepcopy(options.get_all_options()))
    first.view_as(DebugOptions).add_experiment("y")
    first.view_as(Own).archive = "changed"
    first.view_as(StandardOptions).view_as(Own).often = ["z"]
    for options in (first, second, PipelineOptions(flags)):
        told += deepcopy([options.view_as(kind).get_all_options() for kind in (DebugOptions, Own)])
        told.append([type(options.view_as(kind)).__name__ for kind in kinds])
        told.append([options.view_as(StandardOptions).view_as(Own).archive, options.get_all_options(drop_default=True)])
try:
    first.view_as(Own).nothing
except AttributeError as error:
    told.append(str(error))
stateful, stateless = Stateful(), Stateless()
for _ in range(2):
    told.append([len(userstate.get_dofn_specs(one)[0]) for one in (stateful, stateless, Stateful(), Stateless())])
print(json.dumps(told))
"""


def told(code: str, argument: str) -> Any:
    command = [sys.executable, "-c", code, argument]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(ended.stdout)


_HINTS = """
import json, sys, typing
import collections.abc
from contextlib import nullcontext
from pipelines.lazily import beartype_when_needed
with beartype_when_needed() if sys.argv[1] == "when needed" else nullcontext():
    import apache_beam as beam
    from apache_beam.typehints.typehints import is_consistent_with
there = len([name for name in sys.modules if name.startswith("beartype")])

class Base: pass
class Made(Base): pass
class Told(typing.Protocol):
    name: str

hints = [int, bool, float, str, object, type(None), Base, Made, Told, list, list[int], dict[str, int], "text"]
hints += [typing.Sequence, collections.abc.Sized, typing.Iterable[int], typing.Callable[[int], int]]
hints += [typing.Optional[int], typing.Literal[1], typing.NewType("Own", int), type[int], typing.TypeVar("T")]
def answer(some, more):
    try:
        return is_consistent_with(some, more)
    except Exception as error:
        return type(error).__name__
classes = [answer(some, more) for some in (Base, Made) for more in (Base, Made, int)]
needed = len([name for name in sys.modules if name.startswith("beartype")]) > there
answers = [answer(some, more) for some in hints for more in hints]
import beartype.door
print(json.dumps([there > 0, needed, classes, answers, beartype.door.is_subhint(int, object)]))
"""


@pytest.mark.long
def test_types_compare_as_beartype_does_which_is_loaded_if_it_is_needed() -> None:
    at_once, when_needed = (told(_HINTS, how) for how in ("at once", "when needed"))
    assert (at_once[0], when_needed[:2]) == (True, [False, False])
    assert at_once[2:] == when_needed[2:]
    assert at_once[2] == [True, False, False, True, True, False]


@pytest.mark.long
def test_options_and_functions_are_the_same_where_they_are_remembered() -> None:
    plain = told(_TOLD, "plain")
    assert plain == told(_TOLD, "remembering")
    assert plain[-1] == [1, 0, 1, 0]
