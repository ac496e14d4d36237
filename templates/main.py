"""What the launcher of the Flex templates runs: the pipeline that the parameters are for.

The image names one file to run, whatever the template. The stream has a subscription to read, the rebuild has none.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module


def main(arguments: Sequence[str]) -> int:
    """Launch the pipeline and return the exit code. Workers get this image unless another one was asked for."""
    names = {argument.partition("=")[0] for argument in arguments}
    image = os.environ.get("HEAVY_ROTATION_IMAGE")
    workers = [f"--sdk_container_image={image}"] if image and "--sdk_container_image" not in names else []
    pipeline = "pipelines.stream" if "--subscription" in names else "pipelines.rebuild"
    code: int = import_module(pipeline).main([*arguments, *workers])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
