"""The job as Terraform has it launched from a template, and what the launcher of a Flex template passes on of both.

tests/infra holds Terraform's plan to JOB, test_build.py the template to ENVIRONMENT, and test_submission.py launches
with OPTIONS, so that the job it looks at is the one that is asked for.
"""

import json
from typing import Any

BUCKET = "bucket"
IMAGE = "europe-west1-docker.pkg.dev/my-project/heavy-rotation/pipelines:v1"
# The arguments of google_dataflow_flex_template_job.stream that are not null, in the bucket of that name.
JOB: dict[str, Any] = {
    "name": "stream",
    "region": "europe-west1",
    "container_spec_gcs_path": f"gs://{BUCKET}/templates/v1/stream.json",
    "parameters": {
        "subscription": "projects/my-project/subscriptions/plays-stream",
        "archive": f"gs://{BUCKET}/archive",
        "warehouse": "bigquery://my-project.heavy_rotation",
        "time_zone": "Europe/Paris",
        "bigquery_write_method": "STREAMING_INSERTS",
    },
    "enable_streaming_engine": True,
    "additional_experiments": ["use_runner_v2"],
    "launcher_machine_type": "e2-medium",
    "autoscaling_algorithm": "THROUGHPUT_BASED",
    "service_account_email": "heavy-rotation-stream@my-project.iam.gserviceaccount.com",
    "ip_configuration": "WORKER_IP_PRIVATE",
    "on_delete": "drain",
    "labels": {"application": "heavy-rotation"},
    "transform_name_mapping": {},
}
# What the template says, as its file names it.
ENVIRONMENT: dict[str, Any] = {
    "machineType": "e2-standard-2",
    "maxWorkers": 3,
    "numWorkers": 1,
    "stagingLocation": f"gs://{BUCKET}/staging",
    "subnetwork": "regions/europe-west1/subnetworks/heavy-rotation",
    "tempLocation": f"gs://{BUCKET}/temp",
}
PARAMETERS = [f"--{name}={value}" for name, value in JOB["parameters"].items()]
# What the launcher makes of the rest.
OPTIONS = [
    *(f"--experiments={experiment}" for experiment in JOB["additional_experiments"]),
    *(["--enable_streaming_engine"] if JOB["enable_streaming_engine"] else []),
    *(["--no_use_public_ips"] if JOB["ip_configuration"] == "WORKER_IP_PRIVATE" else []),
    f"--labels={json.dumps(JOB['labels'])}",
    f"--machine_type={ENVIRONMENT['machineType']}",
    f"--max_num_workers={ENVIRONMENT['maxWorkers']}",
    f"--num_workers={ENVIRONMENT['numWorkers']}",
    f"--autoscaling_algorithm={JOB['autoscaling_algorithm']}",
    "--project=my-project",
    f"--region={JOB['region']}",
    "--runner=DataflowRunner",
    f"--service_account_email={JOB['service_account_email']}",
    f"--staging_location={ENVIRONMENT['stagingLocation']}",
    f"--subnetwork={ENVIRONMENT['subnetwork']}",
    f"--temp_location={ENVIRONMENT['tempLocation']}",
]
