"""Runs Terraform with stand-ins for its providers: ``python infra/check FOLDER validate``, ``... plan -var ...``.

The exit code is Terraform's. ``plan`` prints the plan as JSON; ``replan`` pretends to apply it and prints the next one,
which has no changes if every resource is read back as it was asked for. Nothing is left behind.
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
    if len(argv) < 2 or argv[1] not in ("validate", "plan", "replan"):
        print("usage: python infra/check FOLDER validate|plan|replan [terraform's options]", file=sys.stderr)
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
        plan, state = str(Path(data) / "plan"), f"-state={Path(data) / 'state'}"
        quietly = ("-input=false", "-no-color", "-lock=false", state)
        if command == "replan" and (code := run("apply", "-auto-approve", *quietly, *options, is_quiet=True)):
            return code
        code = run("plan", *quietly, f"-out={plan}", *options, is_quiet=True)
        return code or run("show", "-json", "-no-color", plan)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
