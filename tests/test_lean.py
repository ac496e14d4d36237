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


def told(*arguments: str) -> Any:
    command = [sys.executable, "-c", _TOLD, *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(ended.stdout)


@pytest.mark.long
def test_options_and_functions_are_the_same_where_they_are_remembered() -> None:
    plain = told("plain")
    assert plain == told("remembering")
    assert plain[-1] == [1, 0, 1, 0]
