"""gcloud's own parser, which works without a network and an account."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path


def refused_by_gcloud(commands: Iterable[str], folder: Path) -> list[str]:
    """Those of the commands that gcloud does not understand, and why. It writes into the folder."""
    # It takes what follows a # for a comment, also within quotes.
    strings = [{"command_string": command.replace("#", ".")} for command in commands]
    (folder / "commands.json").write_text(json.dumps(strings))
    done = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={folder / 'commands.json'}"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CLOUDSDK_CONFIG": str(folder), "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
    )
    assert done.returncode == 0, done.stderr
    read = [one for one in json.loads(done.stdout) if not one["success"]]
    return [f"{one['command_string']}: {one['error_message']}" for one in read]
