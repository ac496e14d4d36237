"""Runs Terraform with stand-ins for its providers: ``python infra/check FOLDER validate``, ``... plan -var ...``.

After ``validate`` and ``plan`` the exit code is Terraform's. ``plan`` prints the plan as JSON. Nothing is left behind.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from provider import running


def main(argv: list[str]) -> int:
    """Exit codes: Terraform's; 2 where there is no Terraform, or wrong usage."""
    if len(argv) < 2 or argv[1] not in ("validate", "plan"):
        print("usage: python infra/check FOLDER validate|plan [terraform's options]", file=sys.stderr)
        return 2
    if not (terraform := shutil.which("terraform")):
        print("terraform is not installed; nothing was checked", file=sys.stderr)
        return 2
    folder, command, *options = argv
    with tempfile.TemporaryDirectory() as data, running(Path(folder)) as addresses:
        # Nothing of this machine's own settings, nothing in the folder, no question about newer versions.
        own = {
            "TF_CLI_CONFIG_FILE": os.devnull,
            "TF_DATA_DIR": data,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        environment = os.environ | addresses | own

        def run(*arguments: str, is_quiet: bool = False) -> int:
            output = subprocess.DEVNULL if is_quiet else None
            return subprocess.run(
                [terraform, f"-chdir={folder}", *arguments], env=environment, stdout=output, check=False
            ).returncode

        if code := run("init", "-backend=false", "-input=false", "-no-color", is_quiet=True):
            return code
        if command == "validate":
            return run("validate", "-no-color", *options)
        plan = str(Path(data) / "plan")
        code = run("plan", "-input=false", "-no-color", "-lock=false", f"-out={plan}", *options, is_quiet=True)
        return code or run("show", "-json", "-no-color", plan)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
