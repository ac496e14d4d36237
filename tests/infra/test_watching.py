"""The nightly jobs beside the plays: off unless asked for, and what they run is what the commands take."""

import pytest

from producer.snapshots_commandline import main
from tests.infra.conftest import EVERYTHING, MINIMUM, Plan

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("infra")]  # Terraform plans
SIZES = ("small", "stream")


def _jobs(plan: Plan, **variables: str) -> dict[str, dict[str, object]]:
    made = plan(**{"image_tag": "v1"} | variables).all("google_cloud_run_v2_job")
    return {values["name"]: values for address, values in made.items() if ".watching[" in address}


@pytest.mark.parametrize("size", SIZES)
def test_they_are_off_unless_they_are_asked_for(plan: Plan, size: str) -> None:
    assert _jobs(plan, size=size) == {}
    assert set(_jobs(plan, size=size, watch="true")) == {"snapshot"}
    assert set(_jobs(plan, size=size, contact="me@example.com")) == {"enrich"}
    made = plan(size=size, image_tag="v1")
    assert not [address for address in made.resources if "watching" in address]


@pytest.mark.parametrize("size", SIZES)
def test_the_commands_take_what_they_are_told(plan: Plan, size: str, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = _jobs(plan, **EVERYTHING | {"size": size})
    assert set(jobs) == {"snapshot", "enrich"}
    for name, job in jobs.items():
        container = job["template"][0]["template"][0]["containers"][0]  # type: ignore[index]
        assert container["command"] == ["as_listener", "python", "-m", "producer"]
        assert container["args"][0] == name
        options = {word.partition("=")[0] for word in container["args"][1:]}
        assert ("--topic" in options) == (size == "stream")
        assert {"--archive", "--state", "--logins"} < options
        # The command's own parser knows every option but the last.
        with pytest.raises(SystemExit) as ended:
            main([*container["args"], "--nonsense"])
        assert ended.value.code == 2
        assert "there is no option --nonsense" in capsys.readouterr().err


@pytest.mark.parametrize("contact", ["", "me", "me@", "http://example.com"])
def test_a_contact_is_an_address_or_a_page(plan: Plan, contact: str) -> None:
    with pytest.raises(AssertionError, match="Write it as me@example"):
        plan(**MINIMUM | {"contact": contact})
