"""The bucket of published recaps: not there unless it is named, read by everybody, listed by nobody, and by itself."""

import pytest

from tests.infra.conftest import EVERYTHING, MINIMUM, ROOT, Plan, run_check
from web.recap import command

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("infra")]  # Terraform plans
BUCKET, RIGHT = "google_storage_bucket.recaps[0]", "google_storage_bucket_iam_member.everybody_reads_recaps[0]"


def test_nothing_is_public_unless_it_is_wanted(plan: Plan) -> None:
    made = plan()
    assert "recaps" not in str(sorted(made.resources))
    assert "allUsers" not in str(made.resources)
    assert made.outputs.get("publish_recap") is None


def test_everybody_reads_and_nobody_lists_and_what_is_taken_back_is_gone(plan: Plan) -> None:
    made = plan(**EVERYTHING)
    bucket, right = made.resources[BUCKET], made.resources[RIGHT]
    assert (right["role"], right["member"], right["bucket"]) == (
        "roles/storage.legacyObjectReader",  # storage.objects.get alone
        "allUsers",
        "my-project-recaps",
    )
    assert bucket["uniform_bucket_level_access"]
    assert bucket["soft_delete_policy"] == [{"retention_duration_seconds": 0}]
    assert bucket["versioning"] == []
    # The other one stays shut.
    assert made.resources["google_storage_bucket.this"]["public_access_prevention"] == "enforced"
    assert [address for address, values in made.resources.items() if values.get("member") == "allUsers"] == [RIGHT]


def test_the_command_that_is_told_is_one(plan: Plan) -> None:
    words = plan(**EVERYTHING).outputs["publish_recap"].split()
    options = command.parse(words[2:])
    assert (options.publish, options.warehouse) == ("gs://my-project-recaps", "bigquery://my-project.heavy_rotation")


@pytest.mark.parametrize("name", ["my-project-heavy-rotation", "Recaps", "gs://recaps"])
def test_names_that_cannot_be_are_refused(name: str) -> None:
    variables = {**MINIMUM, "size": "small", "recap_bucket": name}
    done = run_check(ROOT / "infra", "plan", *(f"-var={key}={value}" for key, value in variables.items()))
    assert done.returncode == 1
    assert "bucket" in done.stderr
