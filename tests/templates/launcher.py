"""The job as Terraform has it launched, and what the launcher of a Flex template passes on of it.

tests/infra holds Terraform's plan to JOB, and test_submission.py launches with OPTIONS, so that the job it looks at is
the one that Terraform asks for.
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
    "sdk_container_image": IMAGE,
    "parameters": {
        "subscription": "projects/my-project/subscriptions/plays-stream",
        "archive": f"gs://{BUCKET}/archive",
        "warehouse": "bigquery://my-project.heavy_rotation",
        "time_zone": "Europe/Paris",
        "bigquery_write_method": "STREAMING_INSERTS",
    },
    "enable_streaming_engine": True,
    "additional_experiments": ["use_runner_v2"],
    "machine_type": "e2-standard-2",
    "launcher_machine_type": "e2-medium",
    "autoscaling_algorithm": "THROUGHPUT_BASED",
    "num_workers": 1,
    "max_workers": 3,
    "service_account_email": "heavy-rotation-stream@my-project.iam.gserviceaccount.com",
    "subnetwork": "regions/europe-west1/subnetworks/heavy-rotation",
    "ip_configuration": "WORKER_IP_PRIVATE",
    "staging_location": f"gs://{BUCKET}/staging",
    "temp_location": f"gs://{BUCKET}/temp",
    "on_delete": "drain",
    "labels": {"application": "heavy-rotation"},
    "transform_name_mapping": {},
}
PARAMETERS = [f"--{name}={value}" for name, value in JOB["parameters"].items()]
# What the launcher makes of the rest.
OPTIONS = [
    *(f"--experiments={experiment}" for experiment in JOB["additional_experiments"]),
    *(["--enable_streaming_engine"] if JOB["enable_streaming_engine"] else []),
    *(["--no_use_public_ips"] if JOB["ip_configuration"] == "WORKER_IP_PRIVATE" else []),
    f"--labels={json.dumps(JOB['labels'])}",
    f"--machine_type={JOB['machine_type']}",
    f"--max_num_workers={JOB['max_workers']}",
    f"--num_workers={JOB['num_workers']}",
    f"--autoscaling_algorithm={JOB['autoscaling_algorithm']}",
    "--project=my-project",
    f"--region={JOB['region']}",
    "--runner=DataflowRunner",
    f"--service_account_email={JOB['service_account_email']}",
    f"--staging_location={JOB['staging_location']}",
    f"--subnetwork={JOB['subnetwork']}",
    f"--temp_location={JOB['temp_location']}",
]
