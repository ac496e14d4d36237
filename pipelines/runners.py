"""Beam's runners: which there are, what each is called, and whether its workers reach a folder of this machine."""

import re
from importlib import import_module
from pathlib import Path

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineRunner

# What DirectRunner would come to in the end. Asked for by that name, Beam first tries Prism, for which it
# downloads a binary, and Prism refuses windows of one's own.
LOCAL_STREAM_RUNNER = "BundleBasedDirectRunner"
LOCAL_BATCH_RUNNER = "FnApiRunner"
# Runners that Beam does not know by a short name, and the options of which it learns from the runner: each with the
# extra that installs what it needs.
_BESIDE = {"dask": "pipelines.dask_runner.DaskRunner"}
_NAMES = [*StandardOptions.KNOWN_RUNNER_NAMES, "DaskRunner"]


class RunnerError(ValueError):
    """There is no such runner here. The text says which there are, or what to install."""


def load(asked: str | None, local_runner: str) -> str:
    """The name under which Beam finds the runner that was asked for; its options are known to Beam from here on.

    Raises RunnerError.
    """
    if asked is None or asked.lower() in ("direct", "directrunner"):
        return local_runner
    short = asked.lower().removesuffix("runner")
    runner = _BESIDE.get(short, asked)
    if "." not in runner:
        if short not in {name.lower().removesuffix("runner") for name in _NAMES}:
            raise RunnerError(f"unknown runner {asked}; there are {', '.join(_NAMES)}")
        return runner
    module, _, name = runner.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        hint = f"; pip install 'heavy-rotation[{short}]'" if short in _BESIDE else ""
        raise RunnerError(f"the runner {asked} cannot be loaded: {error}{hint}") from None
    if not (isinstance(found, type) and issubclass(found, PipelineRunner)):
        raise RunnerError(f"{asked} is none of Beam's runners; there are {', '.join(_NAMES)}")
    return runner


def runner_of(beam_options: PipelineOptions) -> str:
    """The runner's name, as Beam was told."""
    return str(beam_options.view_as(StandardOptions).runner)


def is_local(beam_options: PipelineOptions) -> bool:
    """Whether the pipeline runs in this process."""
    return runner_of(beam_options) in (LOCAL_BATCH_RUNNER, LOCAL_STREAM_RUNNER)


def is_on_dataflow(beam_options: PipelineOptions) -> bool:
    """Whether the pipeline is given to Dataflow, whose workers see no folder of this machine."""
    return runner_of(beam_options).lower() in ("dataflow", "dataflowrunner")


def without_this_machines_folders(beam_options: PipelineOptions) -> str | None:
    """Where the workers are, if no folder of this machine can be seen there; None where it may be."""
    if is_on_dataflow(beam_options):
        return "on Dataflow"
    return "in containers (without --environment_type=LOOPBACK)" if _is_in_containers(beam_options) else None


def check_workers(beam_options: PipelineOptions, *places: str) -> None:
    """Ask the workers, where the engine lets us, whether they see the folders among the places. Raises Failure."""
    if runner_of(beam_options) == _BESIDE["dask"]:
        from pipelines.dask_runner import check_cluster

        check_cluster(beam_options, [Path(place) for place in places if "://" not in place])


def _is_in_containers(beam_options: PipelineOptions) -> bool:
    """What Beam's portable runners do unless they are told otherwise, or start an engine of their own here."""
    runner = runner_of(beam_options).lower().rpartition(".")[2].removesuffix("runner")
    environment = beam_options.view_as(PortableOptions).environment_type
    if environment or runner not in ("portable", "flink", "spark"):
        return environment == "DOCKER" and runner in ("portable", "flink", "spark", "prism")
    if runner == "flink":
        return beam_options.view_as(FlinkRunnerOptions).flink_master not in ("[auto]", "[local]")
    if runner == "spark":
        return not re.match(r"local(\[.+\])?$", beam_options.view_as(SparkRunnerOptions).spark_master_url)
    return True
