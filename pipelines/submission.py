"""Giving a pipeline to Dataflow: what is told of it, and what is not waited for."""

from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.dataflow.dataflow_runner import DataflowPipelineResult
from apache_beam.runners.runner import PipelineResult

from pipelines.command import report

_CONSOLE = "https://console.cloud.google.com/dataflow/jobs"


def wait_unless_submitted(result: PipelineResult, options: PipelineOptions) -> None:
    """Wait until a pipeline ends that this process runs; say where a job is that Dataflow runs.

    What launches a job must end then. The launcher of a Flex template only writes the job's description, and
    Dataflow starts the job from it once the launcher has ended: a launcher that waits keeps its job from starting.
    """
    if not isinstance(result, DataflowPipelineResult):
        result.wait_until_finish()
        return
    google = options.view_as(GoogleCloudOptions)
    if result.has_job:
        address = f"{_CONSOLE}/{google.region}/{result.job_id()}?project={google.project}"
        report(f"Dataflow has the job {google.job_name}: {address}")
    else:
        report(f"Dataflow starts the job {google.job_name} from {google.template_location}")
