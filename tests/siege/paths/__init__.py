"""The ways of a play through the project, each from a seed to a comparison with the oracle."""

from tests.siege.paths.running import Siege
from tests.siege.paths.small import Small

PATHS: dict[str, type[Siege]] = {"small": Small}
