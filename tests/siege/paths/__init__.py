"""The ways of a play through the project, each from a seed to a comparison with the oracle."""

from tests.siege.paths.beside import Beside
from tests.siege.paths.graph import Graph
from tests.siege.paths.logins import Logins
from tests.siege.paths.running import Siege
from tests.siege.paths.small import Small
from tests.siege.paths.stream import Stream
from tests.siege.paths.workers import Workers

PATHS: dict[str, type[Siege]] = {
    "graph": Graph,
    "small": Small,
    "beside": Beside,
    "stream": Stream,
    "logins": Logins,
    "workers": Workers,
}
