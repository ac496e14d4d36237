"""Giving a pipeline to Dataflow: what is told of it, and what is not waited for."""

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
from apache_beam.runners.dataflow.dataflow_runner import DataflowPipelineResult
from apache_beam.runners.dataflow.internal.apiclient import DataflowJobAlreadyExistsError
from google.api_core.exceptions import GoogleAPICallError

from pipelines.command import report
from pipelines.failure import Failure

_CONSOLE = "https://console.cloud.google.com/dataflow/jobs"


def run_or_submit(pipeline: beam.Pipeline, options: PipelineOptions) -> None:
    """Run a pipeline here until it ends, or submit it to Dataflow and say where the job is. Raises Failure.

    What launches a job must end then. The launcher of a Flex template only writes the job's description, and
    Dataflow starts the job from it once the launcher has ended: a launcher that waits keeps its job from starting.
    """
    try:
        result = pipeline.run()
    except (DataflowJobAlreadyExistsError, GoogleAPICallError) as error:
        raise Failure(f"Dataflow does not take the job: {getattr(error, 'message', error)}") from error
    if not isinstance(result, DataflowPipelineResult):
        result.wait_until_finish()
        return
    google = options.view_as(GoogleCloudOptions)
    if result.has_job:
        address = f"{_CONSOLE}/{google.region}/{result.job_id()}?project={google.project}"
        report(f"Dataflow has the job {google.job_name}: {address}")
    else:
        report(f"Dataflow starts the job {google.job_name} from {google.template_location}")
